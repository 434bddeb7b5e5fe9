"""Undo of an import: created tasks are deleted, changed tasks get their old values, later changes are conflicts."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.ids import first_id_at
from task_service.history.domain.events import Actor
from task_service.tasks.domain.task import FIRST_REVISION, Task
from task_service.tasks.domain.task_query import MAX_CLOCK_DIFFERENCE


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
    checkpoint: UUID
    """Last processed task. Tasks are processed in id order."""
    created_at: datetime
    finished_at: datetime
    """End of the import."""
    traceparent: str
    """Span of the import's upload; empty for none."""

    @property
    def first_id(self) -> UUID:
        """Id below all tasks that the import created."""
        return max(self.checkpoint, first_id_at(self.created_at - MAX_CLOCK_DIFFERENCE))

    @property
    def last_id(self) -> UUID:
        """Id above all tasks that the import created."""
        return first_id_at(self.finished_at + MAX_CLOCK_DIFFERENCE)


class ChangeSnapshot(NamedTuple):
    """Record of a task that an import changed."""

    before: Task
    """The task before the import's first change."""
    revision: int
    """Revision after the import's last change. It is older if somebody else changed the task before that."""


class ConflictReason(StrEnum):
    """Reason of an undo conflict."""

    CHANGED = "changed"
    DELETED = "deleted"


class UndoConflict(NamedTuple):
    """A task that an undo leaves alone."""

    task_id: UUID
    reason: ConflictReason


def revert_import_effect(
    import_id: UUID, task: Task, snapshot: ChangeSnapshot | None, now: datetime, *, retention: timedelta
) -> Task | ConflictReason:
    """Return the task without the effect of the import, or the reason of a conflict."""
    if task.deleted_at is not None:
        return ConflictReason.DELETED
    if task.import_id != import_id:
        if snapshot is None or task.revision != snapshot.revision:
            return ConflictReason.CHANGED
        return task.reverted(snapshot.before, now)
    revision_before = snapshot.before.revision if snapshot else FIRST_REVISION
    if revision_before != FIRST_REVISION or task.revision != (snapshot.revision if snapshot else FIRST_REVISION):
        return ConflictReason.CHANGED
    return task.deleted(now, retention=retention)
