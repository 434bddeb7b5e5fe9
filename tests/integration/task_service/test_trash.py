"""Trash: deletion, restoration and purge."""

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
import pytest
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
    list_ids,
    purge,
    undelete,
)
from tests.support.grpc_calls import expect_failure


async def test_deleted_task_shows_purge_at_and_can_be_restored(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x", labels=["a"], external_id="A-1", due_date="2026-03-31")
    deleted = await delete(system, sonu, task.id)
    assert deleted.purge_at.ToDatetime() - deleted.deleted_at.ToDatetime() == timedelta(days=30)
    restored = await undelete(system, sonu, task.id)
    for field in ("deleted_at", "purge_at"):
        assert not restored.HasField(field)
    restored.updated_at.CopyFrom(task.updated_at)
    restored.etag = task.etag
    assert restored == task
    assert await actions_of(system, sonu, task.id) == ["created", "deleted", "restored"]
    assert await list_ids(system, sonu) == [task.id]


async def test_live_task_can_not_be_undeleted(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    assert (await expect_failure(undelete(system, sonu, task.id)))[:2] == (
        grpc.StatusCode.ALREADY_EXISTS,
        "TASK_NOT_DELETED",
    )


async def test_undelete_with_used_external_id_is_rejected(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x", external_id="A-1")
    await delete(system, sonu, task.id)
    await create(system, sonu, title="y", external_id="A-1")
    assert (await expect_failure(undelete(system, sonu, task.id)))[:2] == (
        grpc.StatusCode.ALREADY_EXISTS,
        "EXTERNAL_ID_TAKEN",
    )


async def test_concurrent_undeletes_restore_once(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    await delete(system, sonu, task.id)
    responses = await asyncio.gather(*(undelete(system, sonu, task.id) for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(response, Exception) for response in responses) == 1
    assert await actions_of(system, sonu, task.id) == ["created", "deleted", "restored"]


async def test_second_deletion_says_that_the_task_is_deleted(system):
    """Nobody else learns that. A batch says the same."""
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    task = await create(system, sonu, title="x")
    await delete(system, sonu, task.id)
    batch = task_service_pb2.BatchDeleteTasksRequest(requests=[task_service_pb2.DeleteTaskRequest(id=task.id)])
    for caller, text in ((sonu, "The task is already deleted."), (mina, "No such task.")):
        for call in (delete(system, caller, task.id), system.tasks.BatchDeleteTasks(batch, metadata=caller.metadata)):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await call
            assert (error.value.code(), error.value.details()) == (grpc.StatusCode.NOT_FOUND, text)


async def test_only_admins_can_purge_deleted_tasks(system, database):
    sonu, admin = await system.new_user("sonu"), await system.new_admin()
    task = await create(system, sonu, title="x")
    assert (await expect_failure(purge(system, admin, task.id)))[:2] == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "TASK_NOT_IN_TRASH",
    )
    await delete(system, sonu, task.id)
    assert (await expect_failure(purge(system, sonu, task.id))).code is grpc.StatusCode.PERMISSION_DENIED
    assert await purge(system, admin, task.id) == task_service_pb2.PurgeTaskResponse()
    for call in (get(system, admin, task.id), purge(system, admin, task.id), events_of(system, sonu, task.id)):
        assert (await expect_failure(call))[:2] == (grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND")
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
    assert await list_ids(system, sonu, show_deleted=True) == [live, new]
    (event,) = await database.execute("SELECT task_id::text, actor_role FROM tasks.task_events WHERE action = 'purged'")
    assert event == (old, "system")
