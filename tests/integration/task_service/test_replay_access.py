"""A replay shows a task only to callers that may still see it."""

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.integration.task_service.calls import create, delete, undelete, update
from tests.support.grpc_calls import expect_failure

NOT_FOUND: tuple[grpc.StatusCode, str, list[tuple[str, str]]] = (grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND", [])


async def update_batch(system, person, task_id, *, key):
    change = task_service_pb2.UpdateTaskRequest(
        id=task_id, task=task_pb2.Task(title="y"), update_mask=FieldMask(paths=["title"])
    )
    request = task_service_pb2.BatchUpdateTasksRequest(requests=[change], idempotency_key=key)
    return await system.tasks.BatchUpdateTasks(request, metadata=person.metadata)


async def delete_batch(system, person, task_id, *, key):
    request = task_service_pb2.BatchDeleteTasksRequest(
        requests=[task_service_pb2.DeleteTaskRequest(id=task_id)], idempotency_key=key
    )
    return await system.tasks.BatchDeleteTasks(request, metadata=person.metadata)


CHANGES = {
    "update": lambda system, person, task_id: update(system, person, task_id, title="y", key="k"),
    "delete": lambda system, person, task_id: delete(system, person, task_id, idempotency_key="k"),
    "update batch": lambda system, person, task_id: update_batch(system, person, task_id, key="k"),
    "delete batch": lambda system, person, task_id: delete_batch(system, person, task_id, key="k"),
}


@pytest.mark.parametrize("kind", [*CHANGES, "undelete"])
async def test_replay_after_losing_the_assignment_is_not_found(system, sonu, kind):
    """A former assignee gets the response of a first request: there is no such task."""
    mina = await system.new_user("mina")
    task = await create(system, sonu, title="x", assignee_id=mina.id)
    if kind == "undelete":
        await delete(system, sonu, task.id)
        first = await undelete(system, mina, task.id, idempotency_key="k")
        assert await undelete(system, mina, task.id, idempotency_key="k") == first
    else:
        first = await CHANGES[kind](system, mina, task.id)
        assert await CHANGES[kind](system, mina, task.id) == first
        if kind.startswith("delete"):
            await undelete(system, sonu, task.id)
    await update(system, sonu, task.id, title="secret", assignee_id="", mask=["title", "assignee_id"])
    replay = (
        undelete(system, mina, task.id, idempotency_key="k")
        if kind == "undelete"
        else CHANGES[kind](system, mina, task.id)
    )
    assert await expect_failure(replay) == NOT_FOUND


@pytest.mark.parametrize("is_batch", [False, True])
async def test_replay_after_a_demotion_is_not_found(system, sonu, database, is_batch):
    """A former manager can't read a task of another owner by repeating its creation."""
    await system.new_user("mina")
    database.rows("UPDATE auth.users SET role = 'manager' WHERE username = 'mina'")
    mina = await system.login("mina@example.com")

    async def create_for_sonu(person):
        if not is_batch:
            return await create(system, person, title="x", owner_id=sonu.id, key="k")
        request = task_service_pb2.BatchCreateTasksRequest(
            requests=[task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title="x", owner_id=sonu.id))],
            idempotency_key="k",
        )
        return await system.tasks.BatchCreateTasks(request, metadata=person.metadata)

    assert await create_for_sonu(mina) == await create_for_sonu(mina)
    database.rows("UPDATE auth.users SET role = 'user' WHERE username = 'mina'")
    assert await expect_failure(create_for_sonu(await system.login("mina@example.com"))) == NOT_FOUND
