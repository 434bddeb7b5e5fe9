"""Events of changes to tasks."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from task_service.history.domain.events import Action, Actor, Change, TaskEvent
from task_service.tasks.domain.task import WRITABLE_FIELDS, Task
from task_service.tasks.domain.values import Status


class TaskWithEvent(NamedTuple):
    """Task that does not exist yet, with its first event."""

    task: Task
    event: TaskEvent


def task_created(task: Task, *, by: Actor, event_id: UUID) -> TaskEvent:
    """Return the first event of a task, with a change for each field that has a value."""
    # Written out field by field: this runs for every row of every import.
    changes = [Change("owner_id", "", str(task.owner_id)), Change("title", "", task.title)]
    if task.description:
        changes.append(Change("description", "", task.description))
    changes += (Change("status", "", task.status.value), Change("priority", "", task.priority.value))
    if task.due_date is not None:
        changes.append(Change("due_date", "", task.due_date.isoformat()))
    if task.labels:
        changes.append(Change("labels", "", ",".join(task.labels)))
    if task.external_id:
        changes.append(Change("external_id", "", task.external_id))
    if task.assignee_id is not None:
        changes.append(Change("assignee_id", "", str(task.assignee_id)))
    if task.completed_at not in {None, task.created_at}:
        changes.append(Change("completed_at", "", change_text(task.completed_at)))
    if task.import_id is not None:
        changes.append(Change("import_id", "", str(task.import_id)))
    return _event(task, Action.CREATED, by, event_id, task.created_at, changes)


def task_updated(before: Task, after: Task, *, by: Actor, event_id: UUID) -> TaskEvent:
    """Return the event of an update, with a change for each field that differs.

    A change of the status implies the time of completion: that of the event, or none. Another time is a change.
    """
    changes = [
        Change(field, change_text(old), change_text(new))
        for field in WRITABLE_FIELDS
        if (old := getattr(before, field)) != (new := getattr(after, field))
    ]
    implied = before.completed_at
    if after.status is not before.status:
        implied = after.updated_at if after.status is Status.COMPLETED else None
    if after.completed_at != implied:
        changes.append(Change("completed_at", change_text(before.completed_at), change_text(after.completed_at)))
    return _event(after, Action.UPDATED, by, event_id, after.updated_at, changes)


def task_deleted(task: Task, *, by: Actor, event_id: UUID) -> TaskEvent:
    """Return the event of a soft delete; `task` is the deleted task."""
    changes = [Change("deleted_at", "", change_text(task.updated_at))]
    return _event(task, Action.DELETED, by, event_id, task.updated_at, changes)


def task_restored(before: Task, after: Task, *, by: Actor, event_id: UUID) -> TaskEvent:
    """Return the event of an undelete."""
    changes = [Change("deleted_at", change_text(before.deleted_at), "")]
    return _event(after, Action.RESTORED, by, event_id, after.updated_at, changes)


def task_purged(task: Task, *, by: Actor, event_id: UUID, now: datetime) -> TaskEvent:
    """Return the event of a purge; `task` is the task before it."""
    return _event(task._replace(revision=task.revision + 1), Action.PURGED, by, event_id, now, ())


def _event(
    task: Task, action: Action, by: Actor, event_id: UUID, occurred_at: datetime, changes: Iterable[Change]
) -> TaskEvent:
    return TaskEvent(
        event_id,
        task.id,
        task.owner_id,
        task.assignee_id,
        action,
        by.id,
        by.role,
        occurred_at,
        by.request_id,
        task.revision,
        tuple(changes),
    )


def change_text(value: object) -> str:
    """Return a field's value as the text of a change, empty for None."""
    match value:
        case None:
            return ""
        case tuple():
            return ",".join(value)
        case date():  # also a datetime, in the format of REST
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return str(value)
