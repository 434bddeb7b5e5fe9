"""The order of events: for each task it is the order in which its changes were committed."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from taskmanager.tasks.v1 import task_pb2, task_service_pb2
from uuid_utils.compat import uuid7

import task_service.tasks.bootstrap
from chassis.kernel.clock import utc_now
from chassis.kernel.pagination import PageRequest
from task_service.history.domain.event_log import LOG_START, EventQuery
from task_service.tasks.domain.errors import ExternalIdTaken
from task_service.tasks.domain.task import Task, TaskDraft, new_task
from task_service.tasks.domain.task_events import TaskWithEvent, task_created, task_updated
from task_service.tasks.persistence.unit_of_work import SqlTasksReadSession, SqlTasksUnitOfWork
from tests.integration.task_service.calls import (
    batch_update,
    create,
    delete,
    events_of,
    list_all_events,
    purge,
    undelete,
    update,
)
from tests.integration.task_service.history_log import ACTOR, OWNER
from tests.support.replay import assert_events_give_every_task


def assert_in_order(events) -> None:
    """Assert that each task's events have the revisions 1, 2, 3, ... and that every change starts at the last one."""
    by_task = defaultdict(list)
    for event in events:
        by_task[event.task_id].append(event)
    for of_task in by_task.values():
        assert [event.revision for event in of_task] == list(range(1, len(of_task) + 1))
        values: dict[str, str] = {}
        for event in of_task:
            for change in event.changes:
                assert change.old == values.get(change.field, "")
                values[change.field] = change.new


async def test_log_has_the_order_of_commits_for_each_task(system, sonu):
    """Six clients change one task at once. Each waits for the others' row lock, and none is refused."""
    admin = await system.new_admin()
    task = await create(system, sonu, title="start")
    for turn in range(16):
        await asyncio.gather(*(update(system, sonu, task.id, title=f"{turn} {client}") for client in range(6)))
    log = await list_all_events(system, admin, page_size=7)
    assert len(log) == 1 + 16 * 6
    assert_in_order(log)
    assert await events_of(system, sonu, task.id) == log[:50]


async def test_batches_and_single_changes_keep_the_order(system, sonu, database):
    """Two batches and four single changes of the same tasks run at once."""
    admin = await system.new_admin()
    tasks = [(await create(system, sonu, title="start")).id for _ in range(4)]
    for turn in range(10):
        await asyncio.gather(
            batch_update(system, sonu, {task: {"title": f"batch {turn}"} for task in tasks}),
            batch_update(system, sonu, {task: {"title": f"reverse {turn}"} for task in reversed(tasks)}),
            *(update(system, sonu, task, title=f"single {turn}") for task in tasks),
        )
    log = await list_all_events(system, admin, page_size=7)
    assert len(log) == 4 + 10 * (4 + 4 + 4)
    assert_in_order(log)
    assert assert_events_give_every_task(database.administrator_url) == len(log)


async def test_number_is_taken_after_the_last_row_lock(log, database):
    """The first transaction records a change, and then waits for a task that the second one changes meanwhile."""
    one, both = (
        new_task(TaskDraft(title="x").validate(), task_id=uuid7(), owner_id=OWNER, import_id=None) for _ in range(2)
    )
    async with SqlTasksUnitOfWork(log.pool) as work:
        for task in (one, both):
            await work.tasks.add(task)
        await work.commit()

    async def change(work: SqlTasksUnitOfWork, task: Task) -> None:
        before = await work.tasks.lock(task.id)
        assert before is not None
        after = before.changed({"title": "y" + before.title}, datetime.now(UTC))
        await work.tasks.update(after)
        await work.events.record(task_updated(before, after, by=ACTOR, event_id=uuid7()))

    async def change_one_then_both() -> None:
        async with SqlTasksUnitOfWork(log.pool) as work:
            await change(work, one)
            await change(work, both)
            await work.commit()

    async with SqlTasksUnitOfWork(log.pool) as second:
        await second.tasks.lock(both.id)
        first = asyncio.create_task(change_one_then_both())
        while not await database.execute("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert not first.done()
        await change(second, both)
        await second.commit()
    await first
    async with log.begin() as reading:
        horizon = await reading.event_log.horizon()
        entries = (
            await reading.event_log.scan(EventQuery(task_id=both.id), LOG_START, horizon, limit=10, max_scanned=10)
        ).events
    assert [entry.event.revision for entry in entries] == [2, 3]


@pytest.mark.parametrize("is_taken", [False, True])
async def test_create_takes_its_number_after_its_wait(log, database, is_taken):
    """A create that waits for an external_id announces no number. If the external_id is then taken, no event stays."""
    first, second = (
        new_task(TaskDraft(title="x", external_id="e").validate(), task_id=uuid7(), owner_id=OWNER) for _ in range(2)
    )
    event = task_created(second, by=ACTOR, event_id=uuid7())
    async with SqlTasksReadSession(log.pool) as session:
        async with SqlTasksUnitOfWork(log.pool) as work:
            await work.tasks.add(first)
            adding = asyncio.create_task(session.tasks.add_with_events([TaskWithEvent(second, event)]))
            while not await database.execute("SELECT 1 FROM pg_locks WHERE NOT granted"):
                assert not adding.done()
            announced = await database.execute("SELECT tasks.least_announced_transaction_number()")
            if is_taken:
                await work.commit()
        (error,) = await asyncio.gather(adding, return_exceptions=True)
    assert announced == [(None,)]
    assert isinstance(error, ExternalIdTaken) == is_taken
    assert await log.ids() == ([] if is_taken else [str(event.id)])


async def test_every_kind_of_change_raises_the_revision(system, sonu, database):
    admin = await system.new_admin()
    task = await create(system, sonu, title="a")
    etags = [
        task.etag,
        (await update(system, sonu, task.id, title="b")).etag,
        (await delete(system, sonu, task.id)).etag,
        (await undelete(system, sonu, task.id)).etag,
        (await delete(system, sonu, task.id)).etag,
    ]
    await purge(system, admin, task.id)
    assert assert_events_give_every_task(database.administrator_url) == 6
    revisions = [event.revision for event in await list_all_events(system, admin, page_size=7)]
    assert revisions == [1, 2, 3, 4, 5, 6]
    assert etags == [str(revision) for revision in revisions[:-1]]


async def test_replicas_with_clocks_apart_keep_the_order(system, sonu, database, monkeypatch):
    """The clock of the second replica is two seconds behind: its events have earlier times and lower ids."""
    admin = await system.new_admin()
    monkeypatch.setattr(task_service.tasks.bootstrap, "utc_now", lambda: utc_now() - timedelta(seconds=2))
    monkeypatch.setattr(task_service.tasks.bootstrap, "uuid7", lambda: UUID(int=uuid7().int - (2000 << 80)))
    async with system.new_tasks_replica() as tasks:
        task = await create(system, sonu, title="0")
        for number in range(1, 7):
            replica = (tasks, system.tasks)[number % 2 == 0]
            request = task_service_pb2.UpdateTaskRequest(
                id=task.id, task=task_pb2.Task(title=str(number)), update_mask=FieldMask(paths=["title"])
            )
            await replica.UpdateTask(request, metadata=sonu.metadata)
    log = await list_all_events(system, admin, page_size=7)
    times = [event.occurred_at.ToDatetime() for event in log]
    assert times != sorted(times)
    assert_in_order(log)
    assert await events_of(system, sonu, task.id) == log
    assert assert_events_give_every_task(database.administrator_url) == 7


async def test_history_of_a_task_ignores_clocks(log, database):
    """The replica that writes the second change has a clock two seconds behind, so its event has the lower id."""
    task_id = uuid4()
    events = (
        ("00000000-0002-7000-8000-000000000000", "now()"),
        ("00000000-0001-7000-8000-000000000000", "now() - interval '2 seconds'"),
    )
    for revision, (event_id, moment) in enumerate(events, 1):
        await database.execute(f"""
            INSERT INTO tasks.task_events (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id,
                changes, revision, transaction_number)
            VALUES ('{event_id}', '{task_id}', uuidv7(), 'updated', uuidv7(), 'user', {moment}, 'r', '{{}}', {revision},
                tasks.take_transaction_number())
        """)
    async with log.begin() as work:
        first = await work.events.list_for_task(task_id, PageRequest.parse(1, "", query=""))
        second = await work.events.list_for_task(task_id, PageRequest.parse(1, first.next_token, query=""))
        horizon = await work.event_log.horizon()
        logged = (await work.event_log.scan(EventQuery(), LOG_START, horizon, limit=10, max_scanned=10)).events
    assert [event.revision for page in (first, second) for event in page.items] == [1, 2]
    assert [entry.event.revision for entry in logged] == [1, 2]
