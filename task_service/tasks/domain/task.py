"""Task, its draft, and its changes."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from chassis.kernel.errors import Invalid, raise_all
from chassis.kernel.identity import Caller
from chassis.kernel.quoting import quote
from task_service.access import owner_for, sees_all
from task_service.tasks.domain import values as rules
from task_service.tasks.domain.errors import (
    EtagMismatch,
    ReadOnlyField,
    TaskDeleted,
    TaskNotDeleted,
    UnknownField,
)
from task_service.tasks.domain.values import Priority, Status

FIRST_REVISION = 1
"""Revision of a new task."""


class Values(NamedTuple):
    """Validated values of the fields that a client can write, and the time of completion in a row of an import."""

    title: str
    description: str
    status: Status
    priority: Priority
    due_date: date | None
    labels: tuple[str, ...]
    external_id: str
    assignee_id: UUID | None
    completed_at: datetime | None = None
    """In UTC. It counts only if the task is completed. None: the time at which the status is set."""


WRITABLE_FIELDS = Values._fields[:-1]
"""Fields that a client can write."""


class Task(NamedTuple):
    """A task. The fields have the order of the table's columns."""

    id: UUID
    owner_id: UUID
    # These are WRITABLE_FIELDS, in the same order.
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
        """Raise EtagMismatch unless the etag is empty or the task's current one."""
        if etag and etag != self.etag:
            raise EtagMismatch(etag=self.etag)

    def changed(self, new: Mapping[str, Any], now: datetime) -> "Task":
        """Return the task with new values; the same object if nothing differs. Raises TaskDeleted.

        Only imports give a completed_at. It counts only if the task is completed afterwards; None gives no time.
        """
        if self.deleted_at is not None:
            raise TaskDeleted
        after = self._replace(**{**new, "completed_at": self.completed_at})
        if after.status is not self.status:
            after = after._replace(completed_at=now if after.status is Status.COMPLETED else None)
        if after.status is Status.COMPLETED and (completed_at := new.get("completed_at")):
            after = after._replace(completed_at=completed_at)
        return self if after == self else after._replace(updated_at=now, revision=self.revision + 1)

    def deleted(self, now: datetime, *, retention: timedelta) -> "Task":
        return self._replace(deleted_at=now, purge_at=now + retention, updated_at=now, revision=self.revision + 1)

    def reverted(self, before: "Task", now: datetime) -> "Task":
        """Return the task with its earlier values; the same object if nothing differs."""
        values = {name: getattr(before, name) for name in Values._fields}
        after = self._replace(**values)
        return self if after == self else after._replace(updated_at=now, revision=self.revision + 1)

    def undeleted(self, now: datetime) -> "Task":
        """Return the live task. Raises TaskNotDeleted."""
        if self.deleted_at is None:
            raise TaskNotDeleted
        return self._replace(deleted_at=None, purge_at=None, updated_at=now, revision=self.revision + 1)


# Validation of each field that an update may write.
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
    """Unvalidated values of a client, as text. Empty means not set."""

    title: str = ""
    description: str = ""
    status: str = ""
    priority: str = ""
    due_date: str = ""
    external_id: str = ""
    assignee_id: str = ""
    labels: tuple[str, ...] = ()
    owner_id: str = ""

    def validate(self, *, needs_title: bool = True) -> Values:
        """Return the validated values, or raise all errors together. A title that is set must always be valid."""
        # Written out field by field: this runs for every row of every import.
        errors: list[Invalid] = []
        values = Values(
            rules.validate_title(self.title, errors) if self.title or needs_title else "",
            rules.validate_description(self.description, errors),
            rules.validate_status(self.status, errors),
            rules.validate_priority(self.priority, errors),
            rules.validate_due_date(self.due_date, errors),
            rules.validate_labels(self.labels, errors) if self.labels else (),
            rules.validate_external_id(self.external_id, errors) if self.external_id else "",
            rules.validate_assignee_id(self.assignee_id, errors) if self.assignee_id else None,
        )
        if self.owner_id:
            rules.validate_id(self.owner_id, "owner_id", errors)
        if errors:
            raise_all(errors)
        return values

    def validate_changes(self, mask: Collection[str]) -> dict[str, Any]:
        """Return the validated values of the fields in the mask; without a mask, of the fields that are set (AIP-134).

        A field in the mask that is not set gets the default of a new task. The mask "*" has all fields that can be
        written.

        Raises:
            ReadOnlyField, UnknownField: the mask names a field that an update can't write.
            InvalidTask: a value is invalid.

        """
        errors: list[Invalid] = []
        if set(mask) == {"*"}:
            mask = _RULES.keys()
        # In the order of the rules, then by name: a mask is a set, but errors must have a fixed order.
        new = {
            name: rule(getattr(self, name), errors)
            for name, rule in _RULES.items()
            if (name in mask if mask else getattr(self, name))
        }
        others = sorted(set(mask) - _RULES.keys())
        # The request has an id of its own.
        errors += (
            ReadOnlyField(field=f"task.{name}") if name in _READ_ONLY else UnknownField(name=quote(name))
            for name in others
        )
        raise_all(errors)
        return new

    def owner_for(self, caller: Caller) -> UUID:
        """Return the owner of the new task. Raises OwnerRequired, OwnerNotYours."""
        return owner_for(caller, UUID(self.owner_id) if self.owner_id else None)


_READ_ONLY = {*Task._fields, "etag"} - {*_RULES, "revision"}


def new_task(values: Values, *, task_id: UUID, owner_id: UUID, import_id: UUID | None = None) -> Task:
    """Return a new task.

    Its creation time is the timestamp in its id (UUIDv7). Id order is therefore creation order, in lists and indexes,
    no matter which process created the tasks.
    """
    now = datetime.fromtimestamp((task_id.int >> 80) / 1000, UTC)
    completed_at = (values.completed_at or now) if values.status is Status.COMPLETED else None
    return Task(task_id, owner_id, *values[:-1], import_id, now, now, completed_at, None, None, FIRST_REVISION)
