"""Calls of task_service through its stubs."""

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2


async def create(system, person, *, key: str = "", **fields) -> task_pb2.Task:
    request = task_service_pb2.CreateTaskRequest(task=task_pb2.Task(**fields), idempotency_key=key)
    return await system.tasks.CreateTask(request, metadata=person.metadata)


async def update(
    system, person, task_id: str, mask: Iterable[str] | None = None, *, key: str = "", **fields
) -> task_pb2.Task:
    """Update the fields of the mask; without a mask, the given fields."""
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


async def list_ids(system, person, **fields) -> list[str]:
    """Return the ids of the first page."""
    response = await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(**fields), metadata=person.metadata)
    return [task.id for task in response.tasks]


async def list_all_events(system, admin, **fields) -> list[history_service_pb2.TaskEvent]:
    """Return the events of all pages."""
    found, token = [], ""
    while True:
        request = history_service_pb2.ListEventsRequest(page_token=token, **fields)
        page = await system.history.ListEvents(request, metadata=admin.metadata)
        found += page.events
        token = page.next_page_token
        if not token:
            return found


async def events_of(system, person, task_id: str) -> list[history_service_pb2.TaskEvent]:
    request = history_service_pb2.ListTaskEventsRequest(task_id=task_id)
    return list((await system.history.ListTaskEvents(request, metadata=person.metadata)).events)


async def actions_of(system, person, task_id: str) -> list[str]:
    """Return the actions of a task's events, such as ["created", "deleted"]."""
    name = history_service_pb2.TaskEvent.Action.Name
    return [name(event.action).removeprefix("ACTION_").lower() for event in await events_of(system, person, task_id)]


async def batch_create(system, person, tasks: Iterable[dict[str, Any]]) -> None:
    requests = [task_service_pb2.CreateTaskRequest(task=task_pb2.Task(**fields)) for fields in tasks]
    batch = task_service_pb2.BatchCreateTasksRequest(requests=requests)
    await system.tasks.BatchCreateTasks(batch, metadata=person.metadata)


async def batch_update(system, person, changes: Mapping[str, dict[str, Any]]) -> None:
    """Update the fields of many tasks, by id."""
    requests = [
        task_service_pb2.UpdateTaskRequest(
            id=task_id, task=task_pb2.Task(**fields), update_mask=FieldMask(paths=list(fields))
        )
        for task_id, fields in changes.items()
    ]
    batch = task_service_pb2.BatchUpdateTasksRequest(requests=requests)
    await system.tasks.BatchUpdateTasks(batch, metadata=person.metadata)
