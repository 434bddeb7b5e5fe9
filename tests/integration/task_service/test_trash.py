"""Into the trash, out of it, and gone for good."""

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
from taskmanager.tasks.v1 import task_service_pb2
from uuid_utils.compat import uuid7

from chassis.database.pool import open_pool
from task_service.tasks.persistence.unit_of_work import SqlTasksUnitOfWork
from task_service.tasks.usecases.trash import EmptyTrash
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
)


async def test_deleted_task_shows_purge_at_and_can_be_restored(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x", labels=["a"], external_id="A-1", due_date="2026-03-31")
    deleted = await delete(system, sonu, task.id)
    assert deleted.purge_at.ToDatetime() - deleted.deleted_at.ToDatetime() == timedelta(days=30)
    back = await undelete(system, sonu, task.id)
    for field in ("deleted_at", "purge_at"):
        assert not back.HasField(field)
    back.updated_at.CopyFrom(task.updated_at)
    back.etag = task.etag
    assert back == task
    assert await actions_of(system, sonu, task.id) == ["created", "deleted", "restored"]
    assert await listed(system, sonu) == [task.id]


async def test_a_live_task_can_not_be_undeleted(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    assert (await refused(undelete(system, sonu, task.id)))[:2] == (
        grpc.StatusCode.ALREADY_EXISTS,
        "TASK_NOT_DELETED",
    )


async def test_undelete_with_a_taken_external_id_is_refused(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x", external_id="A-1")
    await delete(system, sonu, task.id)
    await create(system, sonu, title="y", external_id="A-1")
    assert (await refused(undelete(system, sonu, task.id)))[:2] == (
        grpc.StatusCode.ALREADY_EXISTS,
        "EXTERNAL_ID_TAKEN",
    )


async def test_of_two_at_once_one_undeletes(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    await delete(system, sonu, task.id)
    answers = await asyncio.gather(*(undelete(system, sonu, task.id) for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert await actions_of(system, sonu, task.id) == ["created", "deleted", "restored"]


async def test_only_an_admin_purges_deleted_tasks(system, database):
    sonu, admin = await system.new_user("sonu"), await system.new_admin()
    task = await create(system, sonu, title="x")
    assert (await refused(purge(system, admin, task.id)))[:2] == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "TASK_NOT_IN_TRASH",
    )
    await delete(system, sonu, task.id)
    assert (await refused(purge(system, sonu, task.id)))[0] is grpc.StatusCode.PERMISSION_DENIED
    assert await purge(system, admin, task.id) == task_service_pb2.PurgeTaskResponse()
    for call in (get(system, admin, task.id), purge(system, admin, task.id), events_of(system, sonu, task.id)):
        assert (await refused(call))[:2] == (grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND")
    actions = await database.execute("SELECT action, actor_role FROM tasks.task_events ORDER BY id")
    assert actions == [("created", "user"), ("deleted", "user"), ("purged", "admin")]


async def test_expired_tasks_are_purged_with_an_event(system, database):
    sonu = await system.new_user("sonu")
    old, new, live = [(await create(system, sonu, title=title)).id for title in ("old", "new", "live")]
    for task_id in (old, new):
        await delete(system, sonu, task_id)
    await database.execute(f"UPDATE tasks.tasks SET purge_at = now() - interval '1 s' WHERE id = '{old}'")
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        empty_trash = EmptyTrash(begin=lambda: SqlTasksUnitOfWork(pool), now=lambda: datetime.now(UTC), new_id=uuid7)
        assert await empty_trash() == 1
        assert await empty_trash() == 0
    assert await listed(system, sonu, show_deleted=True) == [live, new]
    (event,) = await database.execute("SELECT task_id::text, actor_role FROM tasks.task_events WHERE action = 'purged'")
    assert event == (old, "system")
