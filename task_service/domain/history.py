"""What history says of a change: who, when, in which request, and each field's old and new value."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from chassis.kernel import Caller
from task_service.domain.task import Task


class Action(StrEnum):
    """What was done to a task."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    RESTORED = "restored"
    PURGED = "purged"


class Change(NamedTuple):
    """One field's old and new value, empty for none."""

    field: str
    old: str
    new: str


class TaskEvent(NamedTuple):
    """One committed change of one task. The order of the fields is the order of the table's columns."""

    id: UUID
    task_id: UUID
    action: Action
    actor_id: UUID
    actor_role: str
    occurred_at: datetime
    request_id: str
    changes: tuple[Change, ...]


class Actor(NamedTuple):
    """Who does something, in which request."""

    id: UUID
    role: str
    request_id: str

    @classmethod
    def of(cls, caller: Caller) -> "Actor":
        return cls(caller.id, caller.actor_role, caller.request_id)


# What a person would call the task's content. Times and revision follow from the event itself.
_TOLD = ("owner_id", "title", "description", "status", "priority", "due_date", "import_id")


def created(task: Task, *, by: Actor, event_id: UUID) -> TaskEvent:
    """The first event of a task: every field that has a value."""
    changes = tuple(Change(field, "", value) for field in _TOLD if (value := _text(getattr(task, field))))
    return TaskEvent(event_id, task.id, Action.CREATED, by.id, by.role, task.created_at, by.request_id, changes)


def deleted(before: Task, after: Task, *, by: Actor, event_id: UUID) -> TaskEvent:
    """A soft delete."""
    changes = (Change("deleted_at", _text(before.deleted_at), _text(after.deleted_at)),)
    return TaskEvent(event_id, after.id, Action.DELETED, by.id, by.role, after.updated_at, by.request_id, changes)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)
