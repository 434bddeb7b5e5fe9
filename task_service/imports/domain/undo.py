"""Taking an import back: what it made is deleted, what it changed becomes as it was, what was touched stays."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from task_service.history.domain.events import Actor
from task_service.tasks.domain.task import FIRST_REVISION, Task

CLOCKS_APART = timedelta(days=1)
"""More than the clocks of two processes differ: an import's tasks have ids from between its upload and its end."""


class UndoState(StrEnum):
    """Where an undo stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"


class Undo(NamedTuple):
    """How far an undo has come, in tasks."""

    state: UndoState
    deleted: int
    restored: int
    kept: int
    started_at: datetime
    finished_at: datetime | None


class RunningUndo(NamedTuple):
    """An undo that has a turn."""

    import_id: UUID
    owner_id: UUID
    actor: Actor
    reached: UUID
    """The last task that was looked at; the tasks are taken in the order of their ids."""
    created_at: datetime
    finished_at: datetime
    """The import's."""

    @property
    def first_id(self) -> UUID:
        """Below the ids of all tasks that the import made."""
        return max(self.reached, _id_at(self.created_at - CLOCKS_APART))

    @property
    def last_id(self) -> UUID:
        """Above them."""
        return _id_at(self.finished_at + CLOCKS_APART)


class ChangeSnapshot(NamedTuple):
    """What an import has left behind where it changed a task."""

    before: Task
    """As the import found it, the first time."""
    revision: int
    """That the import gave it, the last time before anybody else touched it."""


class Reason(StrEnum):
    """Why a task is kept as it is."""

    CHANGED = "changed"
    DELETED = "deleted"


class UndoConflict(NamedTuple):
    """A task that an undo left alone."""

    task_id: UUID
    reason: Reason


def revert_import_effect(
    import_id: UUID, task: Task, trace: ChangeSnapshot | None, now: datetime, *, retention: timedelta
) -> Task | Reason:
    """The task without the import, or why it is kept."""
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
    """The least UUIDv7 of a moment (RFC 9562 section 5.7: the milliseconds stand in its first 48 bits)."""
    milliseconds = int(moment.astimezone(UTC).timestamp() * 1000)
    return UUID(int=milliseconds << 80)
