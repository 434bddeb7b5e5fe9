"""Steps of processing an import, each under a lease. ClaimNextImport takes the lease, and IngestBatch renews it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.errors import Unavailable
from task_service.imports.domain.errors import InvalidWorker, LeaseLost, NegativeOffset, StoredFileChanged
from task_service.imports.domain.failed_rows import MAX_KEPT_FAILED_ROWS
from task_service.imports.domain.imports import (
    FILE_CHANGED,
    NO_PROGRESS,
    OWNER_DISABLED,
    Checkpoint,
    Failure,
    IngestContext,
    Lease,
    State,
    too_many_errors,
)
from task_service.imports.domain.rows import Batch, named, take
from task_service.imports.usecases.ports import ObjectStore, PreparedBatch, RowEncoder
from task_service.imports.usecases.sessions import Begin
from task_service.imports.usecases.upload_cleanup import object_key
from task_service.imports.usecases.write_rows import WriteRows
from task_service.tasks.domain.errors import ExternalIdTaken
from task_service.tasks.domain.values import find_control_character
from task_service.tasks.usecases.ports import UserDirectory

MAX_ATTEMPTS_WITHOUT_PROGRESS = 5
"""Claims in a row without a move of the checkpoint. After that the file itself is assumed to be the cause."""

MAX_WORKER_CHARACTERS = 255

LOCKED_SECONDS = 0.02
LOCKED_TRIES = 25
"""A claim skips a row that the dispatcher has locked, so it retries before it reports that nothing waits."""


@dataclass(frozen=True, slots=True)
class ClaimNextImport:
    begin: Begin
    user_directory: UserDirectory
    lease_seconds: float
    max_running: int
    """Maximum running imports of one owner."""

    async def __call__(self, worker: str) -> Lease | None:
        """Return the lease of the next import; None when none waits. Raises InvalidWorker."""
        if len(worker) > MAX_WORKER_CHARACTERS or find_control_character(worker):
            raise InvalidWorker(limit=MAX_WORKER_CHARACTERS)
        tries = LOCKED_TRIES
        while True:
            async with self.begin() as work:
                lease = await work.import_queue.claim(worker, self.lease_seconds, self.max_running)
                hopeless = lease is not None and lease.attempts_without_progress > MAX_ATTEMPTS_WITHOUT_PROGRESS
                if lease is not None and hopeless:
                    await work.ingest.finish(lease.import_id, lease.fence, State.FAILED, NO_PROGRESS)
                locked = lease is None and await work.import_queue.has_waiting(self.max_running)
                await work.commit()
            if locked and tries:
                tries -= 1
                await asyncio.sleep(LOCKED_SECONDS)
            elif lease is None:
                return None
            elif not hopeless and not await self._is_orphaned(lease):
                return lease

    async def _is_orphaned(self, lease: Lease) -> bool:
        # Outside the claim's transaction, because claims run one at a time.
        if await self.user_directory.is_active(lease.owner_id):
            return False
        with suppress(LeaseLost):  # another process has ended it
            await fail_without_owner(self.begin, lease.import_id, lease.fence)
        return True


async def fail_without_owner(begin: Begin, import_id: UUID, fence: int) -> None:
    """Fail an import whose owner was disabled or deleted. Raises LeaseLost under another fence."""
    async with begin() as work:
        await work.ingest.finish(import_id, fence, State.FAILED, OWNER_DISABLED)
        await work.commit()


async def requeue(begin: Begin, import_id: UUID, fence: int) -> None:
    """Queue an import again because a dependency is unavailable. It does not count as an attempt without progress."""
    async with begin() as work:
        await work.ingest.release_lease(import_id, fence)
        await work.commit()


@dataclass(frozen=True, slots=True)
class ReadUpload:
    begin: Begin
    store: ObjectStore
    lease_seconds: float

    async def __call__(self, import_id: UUID, fence: int, offset: int) -> AsyncIterator[bytes]:
        """Yield the file's bytes from the offset. A missing or changed file fails the import."""
        if offset < 0:
            raise NegativeOffset
        async with self.begin() as work:
            await work.ingest.checkpoint(import_id, fence, self.lease_seconds)
            upload = await work.ingest.stored(import_id)
            await work.commit()
        try:
            async for chunk in self.store.read(object_key(import_id), offset, upload):
                yield chunk
        except StoredFileChanged:
            async with self.begin() as work:
                await work.ingest.finish(import_id, fence, State.FAILED, FILE_CHANGED)
                await work.commit()
            raise LeaseLost from None
        except Unavailable:
            await requeue(self.begin, import_id, fence)
            raise


class Progress(NamedTuple):
    """Committed checkpoint, whether other imports wait for a worker, and whether this import has ended."""

    checkpoint: Checkpoint
    has_pending: bool
    finished: bool


@dataclass(frozen=True, slots=True)
class OpenIngest:
    begin: Begin
    lease_seconds: float

    async def __call__(self, import_id: UUID, fence: int) -> tuple[Checkpoint, IngestContext]:
        async with self.begin() as work:
            found = await work.ingest.checkpoint(import_id, fence, self.lease_seconds)
            await work.commit()
        return found


@dataclass(frozen=True, slots=True)
class PrepareBatch:
    """Do all work on a batch that needs no transaction, so that it overlaps the write of the previous batch."""

    begin: Begin
    user_directory: UserDirectory
    encode_rows: RowEncoder

    async def __call__(self, context: IngestContext, fence: int, batch: Batch) -> PreparedBatch:
        """Return the validated and encoded batch. Raises Unavailable when its assignees can't be looked up."""
        assignees = named(batch, context.fields, "assignee")
        try:
            known = await self.user_directory.ids_by_username(assignees) if assignees else {}
        except Unavailable:
            await requeue(self.begin, context.import_id, fence)
            raise
        prepared = PreparedBatch(batch, [], [], [], [])
        for accepted, failed, keyed in take(batch, context, known):
            prepared.accepted.extend(accepted)
            prepared.failed.extend(failed)
            prepared.keyed.extend(keyed)
            # A dry run has the same counts and errors, but no tasks.
            if not context.validate_only:
                prepared.rows.append(self.encode_rows(context, accepted))
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
        self, context: IngestContext, fence: int, batch: PreparedBatch, meanwhile: Callable[[], None]
    ) -> Progress:
        """Call `meanwhile` when the database is busy with the rows, which is the time to prepare the next batch."""
        if not await self.user_directory.is_active(context.owner_id):
            await fail_without_owner(self.begin, context.import_id, fence)
            return Progress(batch.begin, has_pending=False, finished=True)
        while True:
            # Another request may use an external_id between the lookup and the write. The retry finds it, and each
            # retry has fewer rows left.
            with suppress(ExternalIdTaken):
                return await self._write(context, fence, batch, meanwhile)

    async def _write(
        self, context: IngestContext, fence: int, batch: PreparedBatch, meanwhile: Callable[[], None]
    ) -> Progress:
        import_id, limit = context.import_id, context.max_errors
        async with self.begin() as work:
            # First, because it locks the import's row and refuses an old fence before anything is written.
            before = await work.ingest.advance(import_id, fence, batch, self.lease_seconds)
            counts, refused = await self.write_rows(work, context, batch, meanwhile)
            if batch.keyed:
                await work.ingest.count(import_id, counts)
            failed = sorted((*batch.failed, *refused), key=attrgetter("record"))
            if kept := MAX_KEPT_FAILED_ROWS.beyond(before.kept).for_some_of(failed):
                await work.ingest.keep(import_id, kept)
            if too_many := bool(limit) and before.rows_failed + len(failed) > limit:
                await work.ingest.finish(import_id, fence, State.FAILED, too_many_errors(limit))
            await work.commit()
        return Progress(batch.end, before.has_pending, too_many)


@dataclass(frozen=True, slots=True)
class FinishIngest:
    begin: Begin

    async def __call__(self, import_id: UUID, fence: int, failure: Failure | None) -> None:
        """Finish an import: the file was read to its end, or the parser failed."""
        state = State.FAILED if failure else State.SUCCEEDED
        async with self.begin() as work:
            await work.ingest.finish(import_id, fence, state, failure)
            await work.commit()


@dataclass(frozen=True, slots=True)
class ReleaseLease:
    begin: Begin
    queued: Callable[[], None]

    async def __call__(self, import_id: UUID, fence: int) -> None:
        async with self.begin() as work:
            await work.ingest.release_lease(import_id, fence)
            await work.commit()
        self.queued()


@dataclass(frozen=True, slots=True)
class DeleteDryRunState:
    """Delete the state of dry runs that have ended, in bounded steps."""

    begin: Begin
    step_size: int = 10_000

    async def __call__(self) -> int:
        forgotten = 0
        while True:
            async with self.begin() as work:
                some = await work.dry_run.forget(self.step_size)
                await work.commit()
            forgotten += some
            if some < self.step_size:
                return forgotten
