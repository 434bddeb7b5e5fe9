"""Upserts: each creates a task, or changes the owner's live task with the same external_id."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from chassis.kernel.errors import Invalid, collect_errors, raise_all
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from task_service.tasks.domain.errors import BlankTitle, ExternalIdRequired, TaskNotFound
from task_service.tasks.domain.task import Task, TaskDraft, Values, new_task


class UpsertOutcome(StrEnum):
    """Effect of an upsert."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class UpsertResult(NamedTuple):
    """Effect of an upsert, and the task after it."""

    outcome: UpsertOutcome
    task: Task


class UpsertKey(NamedTuple):
    """Identity of the task of an upsert."""

    owner_id: UUID
    external_id: str


@dataclass(frozen=True, slots=True)
class TaskUpsert:
    """Validated upsert."""

    key: UpsertKey
    values: Values | None
    """Values of a new task. None without a title: such an upsert only changes an existing task."""
    changes: Mapping[str, Any]
    """New values of an existing task."""
    etag: str

    @property
    def assignee_id(self) -> UUID | None:
        """The assignee that must exist."""
        return self.values.assignee_id if self.values else self.changes.get("assignee_id")

    def apply(self, before: Task | None, *, now: datetime, new_id: NewId) -> UpsertResult:
        """Return the result for the existing task, or for none.

        Raises:
            EtagMismatch: the task has another etag.
            TaskNotFound: there is no task, but an etag that it should have.
            BlankTitle: there is no task, and a new one needs a title.

        """
        if before is not None:
            before.check_etag(self.etag)
            after = before.changed(self.changes, now)
            return UpsertResult(UpsertOutcome.UNCHANGED if after is before else UpsertOutcome.UPDATED, after)
        if self.etag:
            raise TaskNotFound
        if self.values is None:
            raise BlankTitle
        task = new_task(self.values, task_id=new_id(), owner_id=self.key.owner_id)
        return UpsertResult(UpsertOutcome.CREATED, task)


@dataclass(frozen=True, slots=True)
class UpsertDraft:
    """Unvalidated upsert of a client."""

    draft: TaskDraft
    mask: Collection[str]
    """Fields to write in an existing task; empty for the fields that are set."""
    etag: str

    def validate(self, caller: Caller) -> TaskUpsert:
        """Return the upsert. Every field that is set must be valid, even if the mask leaves it out.

        Raises the validation errors together, OwnerRequired or OwnerNotYours.
        """
        errors: list[Invalid] = [] if self.draft.external_id.strip() else [ExternalIdRequired()]
        with collect_errors(errors):
            values = self.draft.validate(needs_title=False)
            changes = self.draft.validate_changes(self.mask)
        raise_all(errors)
        key = UpsertKey(self.draft.owner_for(caller), values.external_id)
        return TaskUpsert(key, values if values.title else None, changes, self.etag)
