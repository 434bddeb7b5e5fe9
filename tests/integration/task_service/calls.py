"""How these tests call task_service by its stubs."""

from collections.abc import Iterable, Mapping
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from chassis.rpc.errors import read_status


async def create(system, person, *, key: str = "", **fields) -> task_pb2.Task:
    request = task_service_pb2.CreateTaskRequest(task=task_pb2.Task(**fields), idempotency_key=key)
    return await system.tasks.CreateTask(request, metadata=person.metadata)


async def update(
    system, person, task_id: str, mask: Iterable[str] | None = None, *, key: str = "", **fields
) -> task_pb2.Task:
    """Writes the fields that are given, or those of a mask."""
    paths = [name for name in fields if name != "etag"] if mask is None else mask
    request = task_service_pb2.UpdateTaskRequest(
        id=task_id, task=task_pb2.Task(**fields), update_mask=FieldMask(paths=paths), idempotency_key=key
    )
    return await system.tasks.UpdateTask(request, metadata=person.metadata)


async def get(system, person, task_id: str) -> task_pb2.Task:
    return await system.tasks.GetTask(task_service_pb2.GetTaskRequest(id=task_id), metadata=person.metadata)


async def delete(system, person, task_id: str, **fields) -> task_pb2.Task:
    request = task_service_pb2.DeleteTaskRequest(id=task_id, **fields)
    return await system.tasks.DeleteTask(request, metadata=person.metadata)


async def undelete(system, person, task_id: str, **fields) -> task_pb2.Task:
    request = task_service_pb2.UndeleteTaskRequest(id=task_id, **fields)
    return await system.tasks.UndeleteTask(request, metadata=person.metadata)


async def purge(system, person, task_id: str, **fields) -> task_service_pb2.PurgeTaskResponse:
    request = task_service_pb2.PurgeTaskRequest(id=task_id, **fields)
    return await system.tasks.PurgeTask(request, metadata=person.metadata)


async def listed(system, person, **fields) -> list[str]:
    """The ids of the first page."""
    answer = await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(**fields), metadata=person.metadata)
    return [task.id for task in answer.tasks]


async def events_of(system, person, task_id: str) -> list[history_service_pb2.TaskEvent]:
    request = history_service_pb2.ListTaskEventsRequest(task_id=task_id)
    return list((await system.history.ListTaskEvents(request, metadata=person.metadata)).events)


async def actions_of(system, person, task_id: str) -> list[str]:
    """Such as ["created", "deleted"]."""
    name = history_service_pb2.TaskEvent.Action.Name
    return [name(event.action).removeprefix("ACTION_").lower() for event in await events_of(system, person, task_id)]


async def refused(call) -> tuple[grpc.StatusCode, str, list[tuple[str, str]]]:
    """The status, the reason and the violations (field, reason) of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status = read_status(caught.value)
    return status.code, status.reason, [(violation.field, violation.reason) for violation in status.violations]


async def batch_create(system, person, tasks: Iterable[dict[str, Any]]) -> None:
    requests = [task_service_pb2.CreateTaskRequest(task=task_pb2.Task(**fields)) for fields in tasks]
    batch = task_service_pb2.BatchCreateTasksRequest(requests=requests)
    await system.tasks.BatchCreateTasks(batch, metadata=person.metadata)


async def batch_update(system, person, changes: Mapping[str, dict[str, Any]]) -> None:
    """Writes fields of tasks by their ids."""
    requests = [
        task_service_pb2.UpdateTaskRequest(
            id=task_id, task=task_pb2.Task(**fields), update_mask=FieldMask(paths=list(fields))
        )
        for task_id, fields in changes.items()
    ]
    batch = task_service_pb2.BatchUpdateTasksRequest(requests=requests)
    await system.tasks.BatchUpdateTasks(batch, metadata=person.metadata)
