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


def created(task: Task, *, by: Actor, event_id: UUID) -> TaskEvent:
    """The first event of a task: what a person would call its content, each field that has a value."""
    # Spelt out field by field: this runs once for every row of every import.
    changes = [Change("owner_id", "", str(task.owner_id)), Change("title", "", task.title)]
    if task.description:
        changes.append(Change("description", "", task.description))
    changes += (Change("status", "", task.status.value), Change("priority", "", task.priority.value))
    if task.due_date is not None:
        changes.append(Change("due_date", "", task.due_date.isoformat()))
    if task.import_id is not None:
        changes.append(Change("import_id", "", str(task.import_id)))
    return TaskEvent(event_id, task.id, Action.CREATED, by.id, by.role, task.created_at, by.request_id, tuple(changes))


def deleted(task: Task, *, by: Actor, event_id: UUID) -> TaskEvent:
    """A soft delete; `task` is as it is then."""
    moment = task.updated_at
    changes = (Change("deleted_at", "", moment.isoformat()),)
    return TaskEvent(event_id, task.id, Action.DELETED, by.id, by.role, moment, by.request_id, changes)
