"""What history says of a change: who, when, in which request, and each field's old and new value."""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.identity import Caller
from task_service.access import actor_role
from task_service.tasks.domain.task import Task, Values


class Action(StrEnum):
    """What was done to a task."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    RESTORED = "restored"
    PURGED = "purged"


FREE_TEXT = frozenset({"title", "description", "labels", "external_id"})
"""The fields that hold what people write, which may have to be erased one day, in history too."""


class Change(NamedTuple):
    """One field's old and new value, empty for none."""

    field: str
    old: str
    new: str
    erased: bool = False
    """Both values were erased, and are empty therefore."""


class TaskEvent(NamedTuple):
    """One committed change of one task. The order of the fields is the order of the table's columns."""

    id: UUID
    task_id: UUID
    owner_id: UUID
    assignee_id: UUID | None
    """With the owner, who could see the task then: the event stays in their sight when the task is gone."""
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
        return cls(caller.id, actor_role(caller), caller.request_id)


NOBODY = Actor(UUID(int=0), "system", "")
"""Who does what no request asked for, such as emptying the trash."""


def created(task: Task, *, by: Actor, event_id: UUID) -> TaskEvent:
    """The first event of a task: what a person would call its content, each field that has a value."""
    # Spelt out field by field: this runs once for every row of every import.
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
    if task.import_id is not None:
        changes.append(Change("import_id", "", str(task.import_id)))
    return _event(task, Action.CREATED, by, event_id, task.created_at, changes)


def updated(before: Task, after: Task, *, by: Actor, event_id: UUID) -> TaskEvent:
    """What a client wrote: each value that is different now."""
    changes = [
        Change(field, _text(old), _text(new))
        for field in Values._fields
        if (old := getattr(before, field)) != (new := getattr(after, field))
    ]
    return _event(after, Action.UPDATED, by, event_id, after.updated_at, changes)


def deleted(task: Task, *, by: Actor, event_id: UUID) -> TaskEvent:
    """A soft delete; `task` is as it is then."""
    changes = [Change("deleted_at", "", _text(task.updated_at))]
    return _event(task, Action.DELETED, by, event_id, task.updated_at, changes)


def restored(before: Task, after: Task, *, by: Actor, event_id: UUID) -> TaskEvent:
    """A task came back out of the trash."""
    changes = [Change("deleted_at", _text(before.deleted_at), "")]
    return _event(after, Action.RESTORED, by, event_id, after.updated_at, changes)


def purged(task: Task, *, by: Actor, event_id: UUID, now: datetime) -> TaskEvent:
    """The task is gone; `task` is what it last was."""
    return _event(task, Action.PURGED, by, event_id, now, ())


def _event(
    task: Task, action: Action, by: Actor, event_id: UUID, moment: datetime, changes: Iterable[Change]
) -> TaskEvent:
    return TaskEvent(
        event_id,
        task.id,
        task.owner_id,
        task.assignee_id,
        action,
        by.id,
        by.role,
        moment,
        by.request_id,
        tuple(changes),
    )


def _text(value: object) -> str:
    """A value as history tells it; empty for none."""
    match value:
        case None:
            return ""
        case tuple():
            return ",".join(value)
        case date():  # a datetime too, as REST writes it
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return str(value)
