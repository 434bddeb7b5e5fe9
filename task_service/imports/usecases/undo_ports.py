"""Ports of undoing an import."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from chassis.kernel.pagination import Page, PageRequest
from task_service.history.domain.events import Actor
from task_service.imports.domain.duplicates import TaskChange
from task_service.imports.domain.undo import ChangeSnapshot, RunningUndo, UndoConflict


class UndoStep(NamedTuple):
    """Result of one transaction of an undo."""

    reached: UUID
    deleted: int
    restored: int
    conflicts: Sequence[UndoConflict]
    is_last: bool


class Undos(Protocol):
    """Undos of imports, and the snapshots that they need."""

    async def save_snapshots(self, import_id: UUID, changes: Sequence[TaskChange]) -> None:
        """Store the tasks as they were before the import changed them, and the revision that it gave them."""

    async def start(self, import_id: UUID, actor: Actor) -> None:
        """Start an undo. Do nothing if it was started before."""

    async def lock_next(self) -> RunningUndo | None:
        """Return and lock the running undo that waited longest; None if there is none that is not locked."""

    async def candidates(self, undo: RunningUndo, limit: int) -> Sequence[UUID]:
        """Return the ids of the next tasks that the import created or changed, in id order."""

    async def snapshots(self, import_id: UUID, task_ids: Sequence[UUID]) -> Mapping[UUID, ChangeSnapshot]:
        """Return the snapshots of those tasks that the import changed."""

    async def advance(self, import_id: UUID, step: UndoStep) -> None:
        """Move the checkpoint, count the step, and move the undo to the end of the turn order."""

    async def list_conflicts(self, import_id: UUID, request: PageRequest) -> Page[UndoConflict]:
        """Return a page of the tasks that the undo has left alone so far, in id order."""
