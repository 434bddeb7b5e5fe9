"""Use cases of processing an import under a lease. leases.py takes, renews and releases the lease."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.clock import Clock
from task_service.imports.domain.cells.assignees import MAX_UNKNOWN_EMAILS, unknown_email_digests
from task_service.imports.domain.errors import LeaseLost, NegativeOffset, StoredFileChanged
from task_service.imports.domain.imports import (
    FILE_CHANGED,
    OWNER_DISABLED,
    TOO_MANY_UNKNOWN_EMAILS,
    Checkpoint,
    Failure,
    State,
    WaitReason,
    too_many_errors,
)
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.conversion import convert_rows, distinct_assignees
from task_service.imports.domain.rows.failed_rows import MAX_STORED_FAILED_ROWS
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.domain.rows.row_selection import select_rows
from task_service.imports.usecases.assignees import find_assignees
from task_service.imports.usecases.leases import finish_import, postpone_in_outage
from task_service.imports.usecases.metrics import record_batch, record_end
from task_service.imports.usecases.ports import ObjectStore, RowEncoder
from task_service.imports.usecases.prepared_batch import PreparedBatch
from task_service.imports.usecases.unit_of_work import Begin
from task_service.imports.usecases.upload_cleanup import object_key
from task_service.imports.usecases.write_rows import WriteRows
from task_service.tasks.domain.errors import ExternalIdTaken
from task_service.tasks.usecases.ports import UserDirectory


@dataclass(frozen=True, slots=True)
class ReadUpload:
    """Read the stored file of an import, and renew the lease."""

    begin: Begin
    store: ObjectStore
    lease_seconds: float

    async def __call__(self, import_id: UUID, fence: int, offset: int) -> AsyncIterator[bytes]:
        """Yield the file's bytes from the offset. A missing or changed file fails the import."""
        if offset < 0:
            raise NegativeOffset
        async with postpone_in_outage(self.begin, import_id, fence, WaitReason.DATABASE), self.begin() as work:
            await work.ingest.renew_lease(import_id, fence, self.lease_seconds)
            upload = await work.ingest.get_upload(import_id)
            await work.commit()
        try:
            async with postpone_in_outage(self.begin, import_id, fence, WaitReason.OBJECT_STORE):
                async for chunk in self.store.read(object_key(import_id), offset, upload):
                    yield chunk
        except StoredFileChanged:
            await finish_import(self.begin, import_id, fence, State.FAILED, FILE_CHANGED)
            raise LeaseLost from None


class Progress(NamedTuple):
    """Progress after a batch.

    `has_pending` is true if other imports wait for a worker, `finished` if this import has ended.
    """

    checkpoint: Checkpoint
    has_pending: bool
    finished: bool


@dataclass(frozen=True, slots=True)
class PrepareBatch:
    """Do all work on a batch that needs no transaction, so that it overlaps the write of the previous batch."""

    begin: Begin
    user_directory: UserDirectory
    encode_rows: RowEncoder
    now: Clock

    async def __call__(self, context: IngestContext, fence: int, batch: Batch) -> PreparedBatch:
        """Return the validated and encoded batch. Raises Unavailable when its assignees can't be looked up."""
        assignees = distinct_assignees(batch, context.fields)
        async with postpone_in_outage(self.begin, context.import_id, fence, WaitReason.AUTH_SERVICE):
            ids = await find_assignees(self.user_directory, assignees)
        unknown_emails = unknown_email_digests(context.import_id, assignees, ids)
        selection = select_rows(batch, context)
        prepared = PreparedBatch(source=batch, selection=selection, unknown_emails=unknown_emails)
        for converted in convert_rows(batch, context, ids, selection, now=self.now()):
            prepared.add(converted)
            # A dry run has the same counts and errors, but no tasks.
            if not context.validate_only:
                prepared.rows.append(self.encode_rows(context, converted.accepted))
            await asyncio.sleep(0)  # yield to other calls between two steps
        return prepared


@dataclass(frozen=True, slots=True)
class IngestBatch:
    """Commit one batch: fence check, tasks, events, row errors, counters, checkpoint and lease, all or nothing."""

    begin: Begin
    user_directory: UserDirectory
    write_rows: WriteRows
    lease_seconds: float

    async def __call__(
        self, context: IngestContext, fence: int, batch: PreparedBatch, on_rows_sent: Callable[[], None]
    ) -> Progress:
        """Return the progress after the batch.

        `on_rows_sent` is called while the database processes the rows: the caller can then prepare the next batch.
        """
        async with postpone_in_outage(self.begin, context.import_id, fence, WaitReason.AUTH_SERVICE):
            is_active = await self.user_directory.is_active(context.owner_id)
        if not is_active:
            await finish_import(self.begin, context.import_id, fence, State.FAILED, OWNER_DISABLED)
            return Progress(batch.begin, has_pending=False, finished=True)
        while True:
            # Another request may use an external_id between the lookup and the write. The retry finds that task. Each
            # retry has fewer rows to create, so the loop ends.
            with suppress(ExternalIdTaken):
                return await self._write(context, fence, batch, on_rows_sent)

    async def _write(
        self, context: IngestContext, fence: int, batch: PreparedBatch, on_rows_sent: Callable[[], None]
    ) -> Progress:
        import_id, limit, failure = context.import_id, context.max_errors, None
        started = time.perf_counter()
        async with self.begin() as work:
            # First, because it locks the import's row and rejects an old fence before anything is written.
            before = await work.ingest.advance_checkpoint(import_id, fence, batch, self.lease_seconds)
            counts, rejected = await self.write_rows(work, context, batch, on_rows_sent)
            if batch.keyed:
                await work.ingest.add_counts(import_id, counts)
            failed = sorted((*batch.failed, *rejected), key=attrgetter("record"))
            quota = MAX_STORED_FAILED_ROWS.remaining(before.stored_failed_rows)
            if stored := quota.select_fitting(failed):
                await work.ingest.add_failed_rows(import_id, stored)
            if batch.unknown_emails:
                unknown_emails = await work.ingest.add_unknown_emails(import_id, batch.unknown_emails)
                failure = TOO_MANY_UNKNOWN_EMAILS if unknown_emails > MAX_UNKNOWN_EMAILS else None
            if limit and before.rows_failed + len(failed) > limit:
                failure = too_many_errors(limit)
            if failure:
                await work.ingest.finish(import_id, fence, State.FAILED, failure)
            await work.commit()
        record_batch([batch.counts, counts], failed, time.perf_counter() - started)
        if failure:
            record_end(State.FAILED, failure)
        return Progress(batch.end, before.has_pending, finished=failure is not None)


@dataclass(frozen=True, slots=True)
class FinishIngest:
    """Finish an import: the file was read to its end, or the parser failed."""

    begin: Begin

    async def __call__(self, import_id: UUID, fence: int, failure: Failure | None) -> None:
        """Finish the import. Raises LeaseLost under another fence."""
        state = State.FAILED if failure else State.SUCCEEDED
        await finish_import(self.begin, import_id, fence, state, failure)
