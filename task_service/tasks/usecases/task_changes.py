"""Checks and changes of one task, for single requests and batches."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.kernel.identity import Caller
from task_service.tasks.domain.errors import TaskAlreadyDeleted, TaskNotFound, UnknownAssignee
from task_service.tasks.domain.task import Task
from task_service.tasks.usecases.ports import TasksReadSession, UserDirectory


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


def apply_deletion(task: Task | None, *, etag: str, caller: Caller, now: datetime, retention: timedelta) -> Task:
    """Return the task after its soft deletion."""
    before = ensure_visible(task, caller)
    if before.deleted_at is not None:
        raise TaskAlreadyDeleted
    before.check_etag(etag)
    return before.deleted(now, retention=retention)
