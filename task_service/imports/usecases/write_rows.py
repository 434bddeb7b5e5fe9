"""Effect of a batch's rows on tasks, inside the batch's transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chassis.kernel.clock import Clock
from chassis.kernel.ids import NewId
from task_service.imports.domain.duplicates import KeyedRow, OnDuplicate, Resolution, resolve_duplicates
from task_service.imports.domain.failed_rows import FailedRow
from task_service.imports.domain.imports import Counts, IngestContext
from task_service.imports.domain.rows import failed_row
from task_service.imports.usecases.ports import PreparedBatch, RowEncoder
from task_service.imports.usecases.sessions import ImportsUnitOfWork
from task_service.tasks.domain.errors import ExternalIdTaken
from task_service.tasks.domain.task import Task, new_task
from task_service.tasks.domain.task_events import task_updated


class Written(NamedTuple):
    """Result for rows that have an external_id."""

    counts: Counts
    failed: Sequence[FailedRow]


@dataclass(frozen=True, slots=True)
class WriteRows:
    """Create and update the tasks of a batch.

    Only rows with an external_id need a lookup of existing tasks. Their external_ids are locked for the owner first,
    and the tasks are locked in id order, so that concurrent writers can't deadlock.
    """

    encode_rows: RowEncoder
    now: Clock
    new_id: NewId

    async def __call__(
        self, work: ImportsUnitOfWork, context: IngestContext, batch: PreparedBatch, meanwhile: Callable[[], None]
    ) -> Written:
        """Raises ExternalIdTaken when another request uses an external_id between the lookup and the write."""
        if not batch.keyed:
            await work.ingest.write(batch.rows, meanwhile)
            return Written(Counts(), ())
        if not context.validate_only:
            await work.tasks.lock_external_ids({context.owner_id})
        resolution = resolve_duplicates(
            context.on_duplicate, batch.keyed, await _look(work, context, batch.keyed), self.now()
        )
        await self._make(work, context, batch, resolution, meanwhile)
        # One batch can create a task and update it: each change has its own event.
        found = await _look(work, context, resolution.later) if resolution.later else {}
        later = resolve_duplicates(context.on_duplicate, resolution.later, found, self.now())
        await self._change(work, context, resolution)
        await self._change(work, context, later)
        counts = Counts(
            created=len(resolution.made),
            updated=len(resolution.changes) + len(later.changes),
            unchanged=len(resolution.unchanged) + len(later.unchanged),
            skipped=len(resolution.skipped),
            failed=len(resolution.refused),
        )
        return Written(
            counts, [failed_row(batch.source, context, row.number, ExternalIdTaken()) for row in resolution.refused]
        )

    async def _make(
        self,
        work: ImportsUnitOfWork,
        context: IngestContext,
        batch: PreparedBatch,
        resolution: Resolution,
        meanwhile: Callable[[], None],
    ) -> None:
        if context.validate_only:
            made = [
                new_task(row.values, task_id=self.new_id(), owner_id=context.owner_id, import_id=context.import_id)
                for row in resolution.made
            ]
            await work.dry_run.remember(context.import_id, made)
        elif len(resolution.made) == len(batch.keyed):
            await work.ingest.write(batch.rows, meanwhile)
        else:
            others = {row.place for row in batch.keyed} - {row.place for row in resolution.made}
            kept = [values for place, values in enumerate(batch.accepted) if place not in others]
            await work.ingest.write([self.encode_rows(context, kept)], meanwhile)

    async def _change(self, work: ImportsUnitOfWork, context: IngestContext, resolution: Resolution) -> None:
        results = list(resolution.results.values())
        if not results:
            return
        if context.validate_only:
            await work.dry_run.remember(context.import_id, results)
            return
        await work.undos.save_snapshots(context.import_id, resolution.changes)
        await work.tasks.update_all(results)
        await work.events.record_all(
            [
                task_updated(before, after, by=context.actor, event_id=self.new_id())
                for before, after in resolution.changes
            ]
        )


async def _look(work: ImportsUnitOfWork, context: IngestContext, rows: Sequence[KeyedRow]) -> Mapping[str, Task]:
    """Return the owner's live tasks with the rows' external_ids; in a dry run, as they would be.

    Tasks that may be updated are locked. Otherwise their existence is enough.
    """
    among = {row.values.external_id for row in rows}
    lock = context.on_duplicate is OnDuplicate.UPDATE and not context.validate_only
    tasks = await work.tasks.find_by_external_ids(context.owner_id, among, lock=lock)
    found = {task.external_id: task for task in tasks}
    if context.validate_only:
        found |= {task.external_id: task for task in await work.dry_run.seen(context.import_id, among)}
    return found
