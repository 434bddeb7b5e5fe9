"""Changes of one task inside a transaction, for single requests, batches and background work."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from task_service.history.domain.events import Actor
from task_service.tasks.domain.errors import TaskAlreadyDeleted, TaskNotFound, TaskNotInTrash, UnknownAssignee
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_events import (
    task_created,
    task_deleted,
    task_purged,
    task_restored,
    task_updated,
)
from task_service.tasks.usecases.ports import TasksReadSession, TasksUnitOfWork, UserDirectory


def ensure_visible(task: Task | None, caller: Caller) -> Task:
    """Return the task if the caller may see it. Otherwise raise TaskNotFound, as for a task that does not exist."""
    if task is None or not task.is_visible_to(caller):
        raise TaskNotFound
    return task


async def ensure_all_visible(session: TasksReadSession, caller: Caller, tasks: Sequence[Task]) -> None:
    """Raise TaskNotFound if the caller may no longer see one of the tasks. A purged task counts as it last was."""
    current = {task.id: task for task in await session.tasks.get_all([task.id for task in tasks])}
    for task in tasks:
        ensure_visible(current.get(task.id, task), caller)


async def ensure_assignee_exists(user_directory: UserDirectory, assignee_id: UUID | None, caller: Caller) -> None:
    """Raise UnknownAssignee unless the assignee is empty, the calling user, or an existing user."""
    if assignee_id is None or (assignee_id == caller.id and not caller.is_service):
        return
    if not await user_directory.exists(assignee_id):
        raise UnknownAssignee


def apply_update(
    task: Task | None, values: Mapping[str, Any], *, etag: str, caller: Caller, now: datetime
) -> tuple[Task, Task]:
    """Return the task before and after an update. An update without an effect returns the same object twice."""
    before = ensure_visible(task, caller)
    before.check_etag(etag)
    return before, before.changed(values, now)


def apply_deletion(
    task: Task | None, *, etag: str, caller: Caller, now: datetime, retention: timedelta
) -> tuple[Task, Task]:
    """Return the task before and after its soft deletion."""
    before = ensure_visible(task, caller)
    if before.deleted_at is not None:
        raise TaskAlreadyDeleted
    before.check_etag(etag)
    return before, before.deleted(now, retention=retention)


async def create_task(work: TasksUnitOfWork, task: Task, *, actor: Actor, new_id: NewId) -> None:
    """Insert a task and record its event."""
    await work.tasks.add(task)
    await work.events.record(task_created(task, by=actor, event_id=new_id()))


async def update_task(
    work: TasksUnitOfWork,
    task_id: UUID,
    values: Mapping[str, Any],
    *,
    etag: str,
    caller: Caller,
    now: datetime,
    new_id: NewId,
) -> Task:
    """Write new values and record the event. An update without an effect writes nothing."""
    before, after = apply_update(await work.tasks.lock(task_id), values, etag=etag, caller=caller, now=now)
    if after is not before:
        await work.tasks.update(after)
        await work.events.record(task_updated(before, after, by=Actor.from_caller(caller), event_id=new_id()))
    return after


async def delete_task(
    work: TasksUnitOfWork,
    task_id: UUID,
    *,
    etag: str,
    caller: Caller,
    now: datetime,
    retention: timedelta,
    new_id: NewId,
) -> Task:
    """Soft-delete a task and record the event."""
    task = await work.tasks.lock(task_id)
    _, after = apply_deletion(task, etag=etag, caller=caller, now=now, retention=retention)
    await work.tasks.update(after)
    await work.events.record(task_deleted(after, by=Actor.from_caller(caller), event_id=new_id()))
    return after


async def restore_task(
    work: TasksUnitOfWork, task_id: UUID, *, etag: str, caller: Caller, now: datetime, new_id: NewId
) -> Task:
    """Restore a deleted task and record the event."""
    before = ensure_visible(await work.tasks.lock(task_id), caller)
    after = before.restored(now)
    before.check_etag(etag)
    await work.tasks.update(after)
    await work.events.record(task_restored(before, after, by=Actor.from_caller(caller), event_id=new_id()))
    return after


async def purge_task(work: TasksUnitOfWork, task_id: UUID, *, caller: Caller, now: datetime, new_id: NewId) -> None:
    """Remove a deleted task permanently and record the event."""
    task = ensure_visible(await work.tasks.lock(task_id), caller)
    if task.deleted_at is None:
        raise TaskNotInTrash
    await work.tasks.remove_all([task_id])
    await work.events.record(task_purged(task, by=Actor.from_caller(caller), event_id=new_id(), now=now))
