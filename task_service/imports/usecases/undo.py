"""Use cases that undo an import, in bounded steps."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.identity import Caller
from chassis.kernel.ids import LAST_ID, NewId
from chassis.kernel.pagination import Page, PageRequest
from chassis.kernel.spans import StartSpan
from task_service.history.domain.events import Actor, TaskEvent
from task_service.idempotency.key import IdempotencyKey
from task_service.imports.domain.imports import Import
from task_service.imports.domain.undo import (
    ChangeSnapshot,
    ConflictReason,
    RunningUndo,
    UndoConflict,
    revert_import_effect,
)
from task_service.imports.usecases.imports import find_visible_import, get_visible_import
from task_service.imports.usecases.undo_ports import UndoStep
from task_service.imports.usecases.unit_of_work import Begin, ImportsUnitOfWork, ImportTransactions, Read
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_events import task_deleted, task_updated

STEP_SIZE = 500
"""Tasks that one transaction reverts. A small number limits the time that others wait for its locks."""

STEP_ROWS = 20_000
"""Tasks that one transaction reads: the owner can have many others from the time of the import."""


@dataclass(frozen=True, slots=True)
class UndoImport:
    """Start the undo of an import. RunUndos does the work in the background."""

    transactions: ImportTransactions
    read: Read
    notify_requested: Callable[[], None]

    async def __call__(self, caller: Caller, import_id: UUID, key: IdempotencyKey | None = None) -> Import:
        """Return the import with its undo, running or done.

        Raises ImportNotFound, ImportStillUploading, ImportNotEnded, NothingToUndo.
        """
        found = await get_visible_import(self.read, caller, import_id)
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                work = await transaction.begin()
                found.ensure_undoable()  # a final state never changes
                await work.undos.start(import_id, Actor.from_caller(caller))
                await transaction.commit(import_id)
        self.notify_requested()
        return await get_visible_import(self.read, caller, import_id)


@dataclass(frozen=True, slots=True)
class ListUndoConflicts:
    """Return a page of the tasks that the undo left alone."""

    read: Read

    async def __call__(self, caller: Caller, import_id: UUID, request: PageRequest) -> Page[UndoConflict]:
        async with self.read() as session:
            await find_visible_import(session, caller, import_id)
            return await session.undos.list_conflicts(import_id, request)


@dataclass(frozen=True, slots=True)
class RunUndos:
    """Run the steps of all running undos, in turn.

    One transaction reverts some tasks with their events, and moves the undo's checkpoint and counters. A process that
    crashes in a step has changed nothing, and any process continues from the last checkpoint. An undo whose step fails,
    for example because one of its tasks is locked, moves to the end of the turn order.
    """

    begin: Begin
    now: Clock
    new_id: NewId
    retention: timedelta
    """Time for which deleted tasks can be restored."""
    start_span: StartSpan
    step_size: int = STEP_SIZE
    step_rows: int = STEP_ROWS

    async def __call__(self) -> int:
        """Return the number of steps when no undo is left. Raise an error when all that are left have failed."""
        steps = 0
        failed: dict[UUID, Exception] = {}
        while True:
            undo: RunningUndo | None = None
            try:
                async with self.begin() as work:
                    undo = await work.undos.lock_next()
                    if undo is None or undo.import_id in failed:
                        break
                    attributes = {"taskmanager.import.id": str(undo.import_id)}
                    with self.start_span("undo step", attributes, traceparent=undo.traceparent):
                        await self._step(work, undo)
                        await work.commit()
            except Exception as error:
                if undo is None:
                    raise
                failed[undo.import_id] = error
                await self._move_to_end(undo.import_id)
            else:
                steps += 1
                failed.clear()  # try these again after each step of another undo
        if failed:
            raise next(iter(failed.values()))
        return steps

    async def _move_to_end(self, import_id: UUID) -> None:
        async with self.begin() as work:
            await work.undos.move_to_end(import_id)
            await work.commit()

    async def _step(self, work: ImportsUnitOfWork, undo: RunningUndo) -> None:
        found = await work.undos.list_candidates(undo, limit=self.step_size, max_rows=self.step_rows)
        snapshots = await work.undos.get_snapshots(undo.import_id, found.task_ids)
        reverter = _TaskReverter(undo, self.now, self.new_id, self.retention)
        for task in await work.tasks.lock_all(found.task_ids):
            reverter.revert(task, snapshots.get(task.id))
        await work.tasks.update_all(reverter.written)
        await work.events.record_all(reverter.events)
        step = UndoStep(
            checkpoint=found.end or LAST_ID,
            deleted=reverter.deleted,
            restored=reverter.restored,
            conflicts=reverter.conflicts,
            is_last=found.end is None,
        )
        await work.undos.advance(undo.import_id, step)


class _TaskReverter:
    """Reverter of the tasks of one step. It collects the result."""

    def __init__(self, undo: RunningUndo, now: Clock, new_id: NewId, retention: timedelta) -> None:
        self._undo = undo
        self._now = now
        self._new_id = new_id
        self._retention = retention
        self.deleted = 0
        self.restored = 0
        self.conflicts: list[UndoConflict] = []
        self.written: list[Task] = []
        self.events: list[TaskEvent] = []

    def revert(self, task: Task, snapshot: ChangeSnapshot | None) -> None:
        undo = self._undo
        after = revert_import_effect(undo.import_id, task, snapshot, self._now(), retention=self._retention)
        if isinstance(after, ConflictReason):
            self.conflicts.append(UndoConflict(task.id, after))
            return
        if after.deleted_at is None:
            self.restored += 1
        else:
            self.deleted += 1
        if after is task:  # a later row of the import has already reverted the change
            return
        self.written.append(after)
        event_id = self._new_id()
        self.events.append(
            task_updated(task, after, by=undo.actor, event_id=event_id)
            if after.deleted_at is None
            else task_deleted(after, by=undo.actor, event_id=event_id)
        )
