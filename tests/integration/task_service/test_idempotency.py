"""Calls that are safe to repeat."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from uuid import UUID

import grpc
import pytest
from uuid_utils.compat import uuid7

from chassis.kernel.identity import Caller
from task_service.access import Role
from task_service.idempotency.key import IdempotencyKey
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
    listed,
    purge,
    refused,
    undelete,
    update,
)
from tests.integration.task_service.sealing import OWNER


async def test_concurrent_requests_with_one_key_create_one_task(system):
    sonu = await system.new_user("sonu")
    answers = await asyncio.gather(
        *(create(system, sonu, title="x", labels=["a"], due_date="2026-03-31", key="k") for _ in range(20))
    )
    assert all(answer == answers[0] for answer in answers)
    assert await listed(system, sonu) == [answers[0].id]
    assert len(await events_of(system, sonu, answers[0].id)) == 1


async def test_each_mutation_is_answered_as_the_first_time(system):
    sonu, admin = await system.new_user("sonu"), await system.new_admin()
    task = await create(system, sonu, title="x", assignee_id=sonu.id, key="c")
    changed = await update(system, sonu, task.id, title="y", key="u")
    deleted = await delete(system, sonu, task.id, idempotency_key="d")
    back = await undelete(system, sonu, task.id, idempotency_key="b")
    assert await create(system, sonu, title="x", assignee_id=sonu.id, key="c") == task
    assert await update(system, sonu, task.id, title="y", key="u") == changed
    assert await delete(system, sonu, task.id, idempotency_key="d") == deleted
    assert await undelete(system, sonu, task.id, idempotency_key="b") == back
    assert await get(system, sonu, task.id) == back
    assert await actions_of(system, sonu, task.id) == ["created", "updated", "deleted", "restored"]
    await delete(system, sonu, task.id)
    for _ in range(2):
        await purge(system, admin, task.id, idempotency_key="p")


async def test_the_same_key_with_another_request_is_refused(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x", key="k")
    reused = (
        grpc.StatusCode.ALREADY_EXISTS,
        "IDEMPOTENCY_KEY_REUSED",
        [("idempotency_key", "IDEMPOTENCY_KEY_REUSED")],
    )
    assert await refused(create(system, sonu, title="y", key="k")) == reused
    assert await refused(delete(system, sonu, task.id, idempotency_key="k")) == reused
    assert await listed(system, sonu) == [task.id]


async def test_a_key_is_its_caller_s_own(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    first, second = [await create(system, person, title="x", key="k") for person in (sonu, mina)]
    assert first.id != second.id


async def test_what_failed_may_be_tried_again_under_the_same_key(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x", external_id="A-1")
    assert (await refused(create(system, sonu, title="y", external_id="A-1", key="k")))[1] == "EXTERNAL_ID_TAKEN"
    await delete(system, sonu, task.id)
    assert (await create(system, sonu, title="y", external_id="A-1", key="k")).title == "y"


async def test_after_a_day_the_key_is_new(system, database):
    sonu = await system.new_user("sonu")
    first = await create(system, sonu, title="x", key="k")
    await database.execute("UPDATE tasks.idempotency_keys SET created_at = now() - interval '25 hours'")
    second = await create(system, sonu, title="other", key="k")
    assert second.id != first.id
    assert await create(system, sonu, title="other", key="k") == second


@pytest.mark.parametrize("key", ["a" * 129, "a b", "é", "a\n"])
async def test_a_key_that_is_none_is_refused(system, key):
    sonu = await system.new_user("sonu")
    reason = "INVALID_IDEMPOTENCY_KEY"
    assert await refused(create(system, sonu, title="x", key=key)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        reason,
        [("idempotency_key", reason)],
    )


class Accounts:
    """auth_service, where everybody has an account until they have not."""

    def __init__(self) -> None:
        self.open = True

    async def exists(self, _: UUID) -> bool:
        return self.open

    async def is_active(self, _: UUID) -> bool:
        return self.open

    async def ids_by_username(self, _: Collection[str]) -> Mapping[str, UUID]:
        return {}

    async def usernames_by_id(self, _: Collection[UUID]) -> Mapping[UUID, str]:
        return {}


async def test_replay_succeeds_after_the_assignee_was_deleted(log):
    accounts, caller = Accounts(), Caller(OWNER, Role.USER)
    transactions: TaskTransactions = IdempotentTransactions(
        begin=lambda: SqlTasksUnitOfWork(log.pool),
        read=lambda: SqlTasksReadSession(log.pool),
        now=lambda: datetime.now(UTC),
        encode=tasks_to_json,
        decode=tasks_from_json,
    )
    create_task = CreateTask(transactions, accounts, uuid7)
    update_task = UpdateTask(transactions, accounts, lambda: datetime.now(UTC), uuid7)
    batch = BatchCreateTasks(transactions, accounts, uuid7)
    draft = TaskDraft(title="x", assignee_id=str(uuid7()))

    async def everything() -> list[object]:
        made = await create_task(caller, draft, IdempotencyKey("a", b"1"))
        return [
            made,
            await update_task(caller, TaskUpdate(made.id, draft, {"assignee_id"}, ""), IdempotencyKey("b", b"2")),
            await batch(caller, [draft], IdempotencyKey("c", b"3")),
        ]

    first = await everything()
    accounts.open = False
    assert await everything() == first
    with pytest.raises(UnknownAssignee):
        await create_task(caller, draft, IdempotencyKey("d", b"4"))
