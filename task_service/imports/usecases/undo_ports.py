"""Ports of the use cases that undo an import."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from chassis.kernel.pagination import Page, PageRequest
from task_service.history.domain.events import Actor
from task_service.imports.domain.duplicates import TaskChange
from task_service.imports.domain.undo import ChangeSnapshot, RunningUndo, UndoConflict


class UndoStep(NamedTuple):
    """Result of one transaction of an undo."""

    checkpoint: UUID
    deleted: int
    restored: int
    conflicts: Sequence[UndoConflict]
    is_last: bool


class UndoCandidates(NamedTuple):
    """Tasks that the next step may revert."""

    task_ids: Sequence[UUID]
    """In id order."""
    end: UUID | None
    """Id up to which the owner's tasks were searched; None if there is nothing behind these candidates."""


class Undos(Protocol):
    """Undos of imports, and the snapshots that they need."""

    async def save_snapshots(self, import_id: UUID, changes: Sequence[TaskChange]) -> None:
        """Store the tasks as they were before the import changed them, and the revision that it gave them."""

    async def start(self, import_id: UUID, actor: Actor) -> None:
        """Start an undo. Do nothing if it was started before."""

    async def lock_next(self) -> RunningUndo | None:
        """Lock and return the running undo that waited longest. Return None if all are locked, or none exists.

        From then on, each lock that this transaction waits for longer than a moment raises Unavailable.
        """

    async def move_to_end(self, import_id: UUID) -> None:
        """Move the undo to the end of the turn order, unless another process works on it."""

    async def list_candidates(self, undo: RunningUndo, *, limit: int, max_rows: int) -> UndoCandidates:
        """Return up to `limit` next tasks that the import created or changed, among `max_rows` tasks of the owner."""

    async def get_snapshots(self, import_id: UUID, task_ids: Sequence[UUID]) -> Mapping[UUID, ChangeSnapshot]:
        """Return the snapshots by task id. Tasks that the import only created have none."""

    async def advance(self, import_id: UUID, step: UndoStep) -> None:
        """Move the checkpoint, count the step, and move the undo to the end of the turn order."""

    async def list_conflicts(self, import_id: UUID, request: PageRequest) -> Page[UndoConflict]:
        """Return a page of the tasks that the undo has left alone so far, in id order."""
