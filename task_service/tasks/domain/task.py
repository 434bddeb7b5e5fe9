"""The task, what a client may say of one, and how it changes."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from chassis.kernel.errors import Invalid, raise_all
from chassis.kernel.identity import Caller
from task_service.access import OwnerNotYours, sees_all
from task_service.tasks.domain import values as rules
from task_service.tasks.domain.errors import (
    EtagMismatch,
    OwnerRequired,
    ReadOnlyField,
    TaskDeleted,
    TaskNotDeleted,
    UnknownField,
)
from task_service.tasks.domain.values import Priority, Status

FIRST_REVISION = 1
"""Of a task that nobody has changed yet."""


class Values(NamedTuple):
    """What a client may say of a task, checked."""

    title: str
    description: str
    status: Status
    priority: Priority
    due_date: date | None
    labels: tuple[str, ...]
    external_id: str
    assignee_id: UUID | None


class Task(NamedTuple):
    """A piece of work. The order of the fields is the order of the table's columns."""

    id: UUID
    owner_id: UUID
    # What follows is Values, in its order.
    title: str
    description: str
    status: Status
    priority: Priority
    due_date: date | None
    labels: tuple[str, ...]
    external_id: str
    assignee_id: UUID | None
    import_id: UUID | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    deleted_at: datetime | None
    purge_at: datetime | None
    revision: int

    @property
    def etag(self) -> str:
        return str(self.revision)

    def is_visible_to(self, caller: Caller) -> bool:
        return sees_all(caller) or caller.id in (self.owner_id, self.assignee_id)

    def check_etag(self, etag: str) -> None:
        """Goes on for an empty etag and for this task's own; EtagMismatch for another."""
        if etag and etag != self.etag:
            raise EtagMismatch(etag=self.etag)

    def changed(self, new: Mapping[str, Any], now: datetime) -> "Task":
        """The task with new values; itself where nothing is different. TaskDeleted for one in the trash."""
        if self.deleted_at is not None:
            raise TaskDeleted
        after = self._replace(**new)
        if after == self:
            return self
        if after.status is not self.status:
            after = after._replace(completed_at=now if after.status is Status.COMPLETED else None)
        return after._replace(updated_at=now, revision=self.revision + 1)

    def deleted(self, now: datetime, *, retention: timedelta) -> "Task":
        return self._replace(deleted_at=now, purge_at=now + retention, updated_at=now, revision=self.revision + 1)

    def reverted(self, before: "Task", now: datetime) -> "Task":
        """The task with the values that it had before; itself where they are its own."""
        values = {name: getattr(before, name) for name in (*Values._fields, "completed_at")}
        after = self._replace(**values)
        return self if after == self else after._replace(updated_at=now, revision=self.revision + 1)

    def restored(self, now: datetime) -> "Task":
        """The task as it was. TaskNotDeleted for a live one."""
        if self.deleted_at is None:
            raise TaskNotDeleted
        return self._replace(deleted_at=None, purge_at=None, updated_at=now, revision=self.revision + 1)


# The rule for each field that an update may write.
_RULES: Mapping[str, Callable[[Any, list[Invalid]], Any]] = {
    "title": rules.validate_title,
    "description": rules.validate_description,
    "status": rules.validate_status,
    "priority": rules.validate_priority,
    "due_date": rules.validate_due_date,
    "labels": rules.validate_labels,
    "external_id": rules.validate_external_id,
    "assignee_id": rules.validate_assignee_id,
}


class TaskDraft(NamedTuple):
    """What a client says of a task, as text and unchecked. Empty is not said."""

    title: str = ""
    description: str = ""
    status: str = ""
    priority: str = ""
    due_date: str = ""
    external_id: str = ""
    assignee_id: str = ""
    labels: tuple[str, ...] = ()
    owner_id: str = ""

    def validate(self) -> Values:
        """The values, or every one that is wrong (InvalidTask, several at once)."""
        # Spelt out field by field: this runs once for every row of every import.
        wrong: list[Invalid] = []
        values = Values(
            rules.validate_title(self.title, wrong),
            rules.validate_description(self.description, wrong),
            rules.validate_status(self.status, wrong),
            rules.validate_priority(self.priority, wrong),
            rules.validate_due_date(self.due_date, wrong),
            rules.validate_labels(self.labels, wrong) if self.labels else (),
            rules.validate_external_id(self.external_id, wrong) if self.external_id else "",
            rules.validate_assignee_id(self.assignee_id, wrong) if self.assignee_id else None,
        )
        if self.owner_id:
            rules.validate_user_id(self.owner_id, "owner_id", wrong)
        if wrong:
            raise_all(wrong)
        return values

    def changes(self, mask: Collection[str]) -> dict[str, Any]:
        """The checked values of the fields in the mask; without a mask, of those that are said (AIP-134).

        A field that is in the mask and not said goes back to what a new task has.

        Raises:
            ReadOnlyField, UnknownField: the mask names what an update can't write.
            InvalidTask: a value is wrong.

        """
        wrong: list[Invalid] = []
        # In the order of the rules, and then of names: a mask is a set, and what is wrong is told in one order.
        new = {
            name: rule(getattr(self, name), wrong)
            for name, rule in _RULES.items()
            if (name in mask if mask else getattr(self, name))
        }
        others = sorted(set(mask) - _RULES.keys())
        wrong += (ReadOnlyField(field=name) if name in _READ_ONLY else UnknownField(field=name) for name in others)
        raise_all(wrong)
        return new

    def owner_for(self, caller: Caller) -> UUID:
        """Whose task it becomes: the caller's, or whom a manager, an admin or a service names."""
        return owner_for(caller, UUID(self.owner_id) if self.owner_id else None)


_READ_ONLY = {*Task._fields, "etag"} - {*_RULES, "revision"}


def owner_for(caller: Caller, named: UUID | None) -> UUID:
    """Whose a new thing is.

    Raises:
        OwnerRequired: a service named nobody.
        OwnerNotYours: a user named somebody else.

    """
    if named is None:
        if caller.is_service:
            raise OwnerRequired
        return caller.id
    if named != caller.id and not sees_all(caller):
        raise OwnerNotYours
    return named


def new_task(values: Values, *, task_id: UUID, owner_id: UUID, import_id: UUID | None = None) -> Task:
    """A task as it begins.

    It was made at the moment that is in its id (UUIDv7), so that the order of ids is the order of creation, in lists
    and in indexes, whichever process made them.
    """
    now = datetime.fromtimestamp((task_id.int >> 80) / 1000, UTC)
    completed_at = now if values.status is Status.COMPLETED else None
    return Task(task_id, owner_id, *values, import_id, now, now, completed_at, None, None, FIRST_REVISION)
