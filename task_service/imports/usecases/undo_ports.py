"""What undoing an import needs of the outside."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from chassis.kernel.pagination import Page
from chassis.kernel.pagination import PageRequest
from task_service.history.domain.events import Actor
from task_service.imports.domain.duplicates import TaskChange
from task_service.imports.domain.undo import RunningUndo, Trace, UndoConflict


class UndoStep(NamedTuple):
    """What one transaction of an undo has done."""

    reached: UUID
    deleted: int
    restored: int
    kept: Sequence[UndoConflict]
    is_last: bool


class Undos(Protocol):
    """The undos of imports, and what they go by."""

    async def trace(self, import_id: UUID, changes: Sequence[TaskChange]) -> None:
        """Keeps how the import found tasks that it changed, and which revision it gave them."""

    async def ask(self, import_id: UUID, actor: Actor) -> None:
        """Begins an undo; nothing happens when it was begun already."""

    async def next(self) -> RunningUndo | None:
        """The running undo that has waited longest for its turn, locked; None when nobody needs to work on one."""

    async def candidates(self, undo: RunningUndo, most: int) -> Sequence[UUID]:
        """The next tasks that the import made or changed, in the order of their ids."""

    async def traces(self, import_id: UUID, task_ids: Sequence[UUID]) -> Mapping[UUID, Trace]:
        """What the import left behind of these tasks, if it changed them."""

    async def advance(self, import_id: UUID, step: UndoStep) -> None:
        """Moves the undo on, counts the step, and lets others have their turn."""

    async def kept(self, import_id: UUID, request: PageRequest) -> Page[UndoConflict]:
        """The tasks that the undo has left alone so far, in the order of their ids."""
