"""Undoing an import, a little at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from chassis.kernel.pagination import Page, PageRequest
from task_service.history.domain.events import Actor, TaskEvent
from task_service.idempotency.transaction import OneEffect
from task_service.imports.domain.imports import Import
from task_service.imports.domain.undo import Reason, RunningUndo, Trace, UndoConflict, taken_back
from task_service.imports.usecases.imports import GetImport
from task_service.imports.usecases.undo_ports import UndoStep
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_events import task_deleted, task_updated
from task_service.tasks.usecases.ports import Answer, Once, Reading, UnitOfWork

AT_A_TIME = 500
"""Tasks that one transaction takes back, so that nobody waits long for its locks."""


@dataclass(frozen=True, slots=True)
class UndoImport:
    """Begins to undo an import. The work itself is done behind the answer."""

    effect: OneEffect
    get_import: GetImport
    asked: Callable[[], None]

    async def __call__(self, caller: Caller, import_id: UUID, once: Once | None = None) -> Import:
        """The import with its undo, running or done. ImportNotFound, ImportNotEnded, NothingToUndo."""
        found = await self.get_import(caller, import_id)

        async def work(unit: UnitOfWork) -> Answer:
            found.expect_to_be_undone()  # what has ended stays so
            await unit.undos.ask(import_id, Actor.of(caller))
            return Answer(import_id=import_id)

        await self.effect.once(caller, once, work)
        self.asked()
        return await self.get_import(caller, import_id)


@dataclass(frozen=True, slots=True)
class ListUndoConflicts:
    read: Callable[[], Reading]
    get_import: GetImport

    async def __call__(self, caller: Caller, import_id: UUID, request: PageRequest) -> Page[UndoConflict]:
        await self.get_import(caller, import_id)
        async with self.read() as data:
            return await data.undos.kept(import_id, request)


@dataclass(frozen=True, slots=True)
class RunUndos:
    """Does what undos have to do, each in turn.

    A transaction takes back some tasks, with their history, and moves the undo's own checkpoint and counters: whoever
    dies in one has done nothing, and any other process goes on from the last.
    """

    begin: Callable[[], UnitOfWork]
    now: Clock
    new_id: NewId
    kept_for: timedelta
    """How long what is deleted can be undeleted."""
    at_a_time: int = AT_A_TIME

    async def __call__(self) -> int:
        """How many steps there were to do."""
        steps = 0
        while await self._step():
            steps += 1
        return steps

    async def _step(self) -> bool:
        async with self.begin() as work:
            undo = await work.undos.next()
            if undo is None:
                return False
            candidates = await work.undos.candidates(undo, self.at_a_time)
            traces = await work.undos.traces(undo.import_id, candidates)
            taken = _Taken(undo, self.now, self.new_id, self.kept_for)
            for task in await work.tasks.lock_all(candidates):
                taken.take(task, traces.get(task.id))
            await work.tasks.update_all(taken.written)
            await work.events.record_all(taken.events)
            step = UndoStep(
                reached=candidates[-1] if candidates else undo.reached,
                deleted=taken.deleted,
                restored=taken.restored,
                kept=taken.kept,
                is_last=len(candidates) < self.at_a_time,
            )
            await work.undos.advance(undo.import_id, step)
            await work.commit()
        return True


class _Taken:
    """What one transaction takes back."""

    def __init__(self, undo: RunningUndo, now: Clock, new_id: NewId, kept_for: timedelta) -> None:
        self._undo = undo
        self._now = now
        self._new_id = new_id
        self._kept_for = kept_for
        self.deleted = 0
        self.restored = 0
        self.kept: list[UndoConflict] = []
        self.written: list[Task] = []
        self.events: list[TaskEvent] = []

    def take(self, task: Task, trace: Trace | None) -> None:
        undo = self._undo
        after = taken_back(undo.import_id, task, trace, self._now(), kept_for=self._kept_for)
        if isinstance(after, Reason):
            self.kept.append(UndoConflict(task.id, after))
            return
        if after.deleted_at is None:
            self.restored += 1
        else:
            self.deleted += 1
        if after is task:  # the import has changed it back by itself
            return
        self.written.append(after)
        event_id = self._new_id()
        self.events.append(
            task_updated(task, after, by=undo.actor, event_id=event_id)
            if after.deleted_at is None
            else task_deleted(after, by=undo.actor, event_id=event_id)
        )
