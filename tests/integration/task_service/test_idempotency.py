"""Idempotency keys: a repeated request gets the first response and has no second effect."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from uuid_utils.compat import uuid7

from chassis.kernel.identity import Caller
from task_service.access import Role
from task_service.idempotency.cleanup import DeleteExpiredIdempotencyRecords
from task_service.idempotency.key import IdempotencyKey
from task_service.idempotency.records import RETENTION
from task_service.idempotency.transaction import IdempotentTransactions
from task_service.tasks.domain.errors import UnknownAssignee
from task_service.tasks.domain.task import TaskDraft
from task_service.tasks.persistence.task_json import tasks_from_json, tasks_to_json
from task_service.tasks.persistence.unit_of_work import SqlTasksReadSession, SqlTasksUnitOfWork
from task_service.tasks.usecases.batches import BatchCreateTasks
from task_service.tasks.usecases.ports import TaskTransactions
from task_service.tasks.usecases.tasks import CreateTask, TaskUpdate, UpdateTask
from tests.integration.task_service.calls import (
    actions_of,
    create,
    delete,
    events_of,
    get,
    list_ids,
    purge,
    undelete,
    update,
)
from tests.integration.task_service.history_log import OWNER
from tests.support.grpc_calls import expect_failure
from tests.support.user_directory import FakeUserDirectory


async def test_concurrent_requests_with_one_key_create_one_task(system):
    sonu = await system.new_user("sonu")
    responses = await asyncio.gather(
        *(create(system, sonu, title="x", labels=["a"], due_date="2026-03-31", key="k") for _ in range(20))
    )
    assert all(response == responses[0] for response in responses)
    assert await list_ids(system, sonu) == [responses[0].id]
    assert len(await events_of(system, sonu, responses[0].id)) == 1


async def test_repeated_mutation_returns_the_first_response(system):
    sonu, admin = await system.new_user("sonu"), await system.new_admin()
    task = await create(system, sonu, title="x", assignee_id=sonu.id, key="c")
    changed = await update(system, sonu, task.id, title="y", key="u")
    deleted = await delete(system, sonu, task.id, idempotency_key="d")
    restored = await undelete(system, sonu, task.id, idempotency_key="b")
    assert await create(system, sonu, title="x", assignee_id=sonu.id, key="c") == task
    assert await update(system, sonu, task.id, title="y", key="u") == changed
    assert await delete(system, sonu, task.id, idempotency_key="d") == deleted
    assert await undelete(system, sonu, task.id, idempotency_key="b") == restored
    assert await get(system, sonu, task.id) == restored
    assert await actions_of(system, sonu, task.id) == ["created", "updated", "deleted", "restored"]
    await delete(system, sonu, task.id)
    for _ in range(2):
        await purge(system, admin, task.id, idempotency_key="p")


async def test_key_with_another_request_is_rejected(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x", key="k")
    reused = (
        grpc.StatusCode.ALREADY_EXISTS,
        "IDEMPOTENCY_KEY_REUSED",
        [("idempotency_key", "IDEMPOTENCY_KEY_REUSED")],
    )
    assert await expect_failure(create(system, sonu, title="y", key="k")) == reused
    assert await expect_failure(delete(system, sonu, task.id, idempotency_key="k")) == reused
    assert await list_ids(system, sonu) == [task.id]


async def test_two_callers_can_use_the_same_key(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    first, second = [await create(system, person, title="x", key="k") for person in (sonu, mina)]
    assert first.id != second.id


async def test_failed_request_can_be_retried_with_its_key(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x", external_id="A-1")
    assert (
        await expect_failure(create(system, sonu, title="y", external_id="A-1", key="k"))
    ).reason == "EXTERNAL_ID_TAKEN"
    await delete(system, sonu, task.id)
    assert (await create(system, sonu, title="y", external_id="A-1", key="k")).title == "y"


async def test_key_expires_after_a_day(system, database):
    sonu = await system.new_user("sonu")
    first = await create(system, sonu, title="x", key="k")
    await database.execute("UPDATE tasks.idempotency_keys SET created_at = now() - interval '25 hours'")
    second = await create(system, sonu, title="other", key="k")
    assert second.id != first.id
    assert await create(system, sonu, title="other", key="k") == second


@pytest.mark.parametrize("key", ["a" * 129, "a b", "é", "a\n"])
async def test_malformed_key_is_rejected(system, key):
    sonu = await system.new_user("sonu")
    reason = "INVALID_IDEMPOTENCY_KEY"
    assert await expect_failure(create(system, sonu, title="x", key=key)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        reason,
        [("idempotency_key", reason)],
    )


async def test_replay_succeeds_after_the_assignee_was_deleted(log):
    assignee = uuid7()
    user_directory, caller = FakeUserDirectory({"mina": assignee}), Caller(OWNER, Role.USER)
    transactions: TaskTransactions = IdempotentTransactions(
        begin=lambda: SqlTasksUnitOfWork(log.pool),
        read=lambda: SqlTasksReadSession(log.pool),
        now=lambda: datetime.now(UTC),
        encode=tasks_to_json,
        decode=tasks_from_json,
    )
    create_task = CreateTask(
        transactions,
        write_one=lambda: pytest.fail("there is a key"),
        add_task=lambda _: pytest.fail("there is a key"),
        user_directory=user_directory,
        new_id=uuid7,
    )
    update_task = UpdateTask(transactions, user_directory, lambda: datetime.now(UTC), uuid7)
    batch_create = BatchCreateTasks(transactions, user_directory, uuid7)
    draft = TaskDraft(title="x", assignee_id=str(assignee))

    async def send_all() -> list[object]:
        task = await create_task(caller, draft, IdempotencyKey("a", b"1"))
        return [
            task,
            await update_task(caller, TaskUpdate(task.id, draft, {"assignee_id"}, ""), IdempotencyKey("b", b"2")),
            await batch_create(caller, [draft], IdempotencyKey("c", b"3")),
        ]

    first = await send_all()
    user_directory.users.clear()
    assert await send_all() == first
    with pytest.raises(UnknownAssignee):
        await create_task(caller, draft, IdempotencyKey("d", b"4"))


async def test_key_that_expires_during_its_request_is_replayed(log):
    """A record that turns 24 hours old between the claim and the lookup of its response still counts."""
    caller, key = Caller(OWNER, Role.USER), IdempotencyKey("k", b"1")
    start = datetime.now(UTC)
    times = iter([start, start])

    def transactions(now: Callable[[], datetime]) -> TaskTransactions:
        return IdempotentTransactions(
            begin=lambda: SqlTasksUnitOfWork(log.pool),
            read=lambda: SqlTasksReadSession(log.pool),
            now=now,
            encode=tasks_to_json,
            decode=tasks_from_json,
        )

    a_day_ago = transactions(lambda: start - RETENTION + timedelta(seconds=1))
    async with transactions(lambda: next(times, start + timedelta(seconds=2))).open(caller, key) as transaction:
        async with a_day_ago.open(caller, key) as first:
            await first.begin()
            await first.commit(())
        await transaction.begin()
    assert transaction.is_replay
    assert transaction.response == ()


async def test_expired_records_are_deleted_in_batches(log, database):
    await database.execute(
        "INSERT INTO tasks.idempotency_keys (caller_id, key, fingerprint, response, created_at)"
        " SELECT uuidv7(), 'k', '', '[]', now() - interval '25 hours' FROM generate_series(1, 2500)"
    )
    remaining = []

    class RecordingUnitOfWork(SqlTasksUnitOfWork):
        """Unit of work that records the number of records after each commit."""

        async def commit(self) -> None:
            await super().commit()
            remaining.extend(await database.execute("SELECT count(*) FROM tasks.idempotency_keys"))

    delete_expired = DeleteExpiredIdempotencyRecords(lambda: RecordingUnitOfWork(log.pool), lambda: datetime.now(UTC))
    assert await delete_expired() == 2500
    assert remaining == [(1500,), (500,), (0,)]
