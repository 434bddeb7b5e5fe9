"""Undo of an import: created tasks are deleted, changed tasks get their old values, later changes are conflicts."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from task_service.history.domain.events import Actor
from task_service.tasks.domain.task import FIRST_REVISION, Task

CLOCKS_APART = timedelta(days=1)
"""More than the clocks of two processes can differ. The tasks have ids from between the upload and the end."""


class UndoState(StrEnum):
    """State of an undo."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"


class Undo(NamedTuple):
    """Progress of an undo, in tasks."""

    state: UndoState
    deleted: int
    restored: int
    kept: int
    started_at: datetime
    finished_at: datetime | None


class RunningUndo(NamedTuple):
    """An undo that a process works on."""

    import_id: UUID
    owner_id: UUID
    actor: Actor
    reached: UUID
    """Checkpoint: the last processed task. Tasks are processed in id order."""
    created_at: datetime
    finished_at: datetime
    """End of the import."""

    @property
    def first_id(self) -> UUID:
        """Id below all tasks that the import created."""
        return max(self.reached, _id_at(self.created_at - CLOCKS_APART))

    @property
    def last_id(self) -> UUID:
        """Id above all tasks that the import created."""
        return _id_at(self.finished_at + CLOCKS_APART)


class ChangeSnapshot(NamedTuple):
    """Record of a task that an import changed."""

    before: Task
    """The task before the import's first change."""
    revision: int
    """Revision after the import's last change, unless somebody else changed the task in between."""


class Reason(StrEnum):
    """Reason of an undo conflict."""

    CHANGED = "changed"
    DELETED = "deleted"


class UndoConflict(NamedTuple):
    """A task that an undo leaves alone."""

    task_id: UUID
    reason: Reason


def revert_import_effect(
    import_id: UUID, task: Task, trace: ChangeSnapshot | None, now: datetime, *, retention: timedelta
) -> Task | Reason:
    """Return the task without the effect of the import, or the reason of a conflict."""
    if task.deleted_at is not None:
        return Reason.DELETED
    if task.import_id != import_id:
        if trace is None or task.revision != trace.revision:
            return Reason.CHANGED
        return task.reverted(trace.before, now)
    found = trace.before.revision if trace else FIRST_REVISION
    if found != FIRST_REVISION or task.revision != (trace.revision if trace else FIRST_REVISION):
        return Reason.CHANGED
    return task.deleted(now, retention=retention)


def _id_at(moment: datetime) -> UUID:
    """Return the smallest UUIDv7 of a time (RFC 9562 section 5.7: the first 48 bits are milliseconds)."""
    milliseconds = int(moment.astimezone(UTC).timestamp() * 1000)
    return UUID(int=milliseconds << 80)
