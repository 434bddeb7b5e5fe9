"""Effect of a batch's rows on tasks, inside the batch's transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chassis.kernel.clock import Clock
from chassis.kernel.ids import NewId
from task_service.imports.domain.duplicates import KeyedRow, OnDuplicate, Resolution, resolve_duplicates
from task_service.imports.domain.errors import RowExternalIdTaken
from task_service.imports.domain.imports import Counts
from task_service.imports.domain.rows.batch_columns import BatchColumns
from task_service.imports.domain.rows.conversion import reject_task
from task_service.imports.domain.rows.failed_rows import FailedRow
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.usecases.ports import RowEncoder
from task_service.imports.usecases.prepared_batch import PreparedBatch
from task_service.imports.usecases.unit_of_work import ImportsUnitOfWork
from task_service.tasks.domain.task import Task, new_task
from task_service.tasks.domain.task_events import task_updated


class WriteResult(NamedTuple):
    """Result for rows that have an external_id."""

    counts: Counts
    failed: Sequence[FailedRow]


@dataclass(frozen=True, slots=True)
class WriteRows:
    """Create and update the tasks of a batch.

    Only rows with an external_id need a lookup of existing tasks. Lock the owner's external_ids first, then the
    tasks in id order, so that concurrent writers cannot deadlock.
    """

    encode_rows: RowEncoder
    now: Clock
    new_id: NewId

    async def __call__(
        self, work: ImportsUnitOfWork, context: IngestContext, batch: PreparedBatch, on_rows_sent: Callable[[], None]
    ) -> WriteResult:
        """Return the result. Call `on_rows_sent` while the database processes new rows.

        Raises ExternalIdTaken when another request uses an external_id between the lookup and the write.
        """
        if not batch.keyed:
            await work.ingest.insert_rows(batch.rows, on_rows_sent)
            return WriteResult(Counts(), ())
        if not context.validate_only:
            await work.tasks.lock_external_ids({context.owner_id})
        resolution = resolve_duplicates(
            context.on_duplicate, batch.keyed, await _find_existing_tasks(work, context, batch.keyed), self.now()
        )
        await self._create(work, context, batch, resolution, on_rows_sent)
        # Deferred: rows whose external_id an earlier row of this batch creates. Each change has its own event.
        new_tasks = await _find_existing_tasks(work, context, resolution.deferred) if resolution.deferred else {}
        deferred_resolution = resolve_duplicates(context.on_duplicate, resolution.deferred, new_tasks, self.now())
        await self._update(work, context, resolution)
        await self._update(work, context, deferred_resolution)
        columns = BatchColumns(context, batch.source)
        failed = [
            failed_row
            for row in resolution.rejected
            for failed_row in reject_task(columns, batch.selection, row.row_index, RowExternalIdTaken())
        ]
        counts = Counts(
            created=len(resolution.created),
            updated=len(resolution.changes) + len(deferred_resolution.changes),
            unchanged=len(resolution.unchanged) + len(deferred_resolution.unchanged),
            # The rows that continue a rejected task were counted as skipped.
            skipped=len(resolution.skipped) + len(resolution.rejected) - len(failed),
            failed=len(failed),
        )
        return WriteResult(counts, failed)

    async def _create(
        self,
        work: ImportsUnitOfWork,
        context: IngestContext,
        batch: PreparedBatch,
        resolution: Resolution,
        on_rows_sent: Callable[[], None],
    ) -> None:
        if context.validate_only:
            created_tasks = [
                new_task(row.values, task_id=self.new_id(), owner_id=context.owner_id, import_id=context.import_id)
                for row in resolution.created
            ]
            await work.dry_run.save(context.import_id, created_tasks)
        elif len(resolution.created) == len(batch.keyed):
            await work.ingest.insert_rows(batch.rows, on_rows_sent)
        else:
            excluded = {row.accepted_index for row in batch.keyed} - {row.accepted_index for row in resolution.created}
            created_values = [values for index, values in enumerate(batch.accepted) if index not in excluded]
            await work.ingest.insert_rows([self.encode_rows(context, created_values)], on_rows_sent)

    async def _update(self, work: ImportsUnitOfWork, context: IngestContext, resolution: Resolution) -> None:
        results = list(resolution.results.values())
        if not results:
            return
        if context.validate_only:
            await work.dry_run.save(context.import_id, results)
            return
        await work.undos.save_snapshots(context.import_id, resolution.changes)
        await work.tasks.update_all(results)
        await work.events.record_all(
            [
                task_updated(before, after, by=context.actor, event_id=self.new_id())
                for before, after in resolution.changes
            ]
        )


async def _find_existing_tasks(
    work: ImportsUnitOfWork, context: IngestContext, rows: Sequence[KeyedRow]
) -> Mapping[str, Task]:
    """Return the owner's live tasks with the rows' external_ids.

    In a dry run, apply the changes that the dry run has made so far. Tasks that may be updated are locked. For other
    values of on_duplicate it is enough that they exist.
    """
    external_ids = {row.values.external_id for row in rows}
    lock = context.on_duplicate is OnDuplicate.UPDATE and not context.validate_only
    tasks = await work.tasks.find_by_external_ids(context.owner_id, external_ids, lock=lock)
    found = {task.external_id: task for task in tasks}
    if context.validate_only:
        found |= {task.external_id: task for task in await work.dry_run.find(context.import_id, external_ids)}
    return found
