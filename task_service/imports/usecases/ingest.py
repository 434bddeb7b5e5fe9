"""What a worker does to an import, each step under a lease."""

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
"""Claims in a row without the checkpoint moving, after which the file itself is held to be at fault."""

MAX_WORKER_CHARACTERS = 255

LOCKED_SECONDS = 0.02
LOCKED_TRIES = 25
"""An import that is just being marked as woken is passed over by a claim: it looks again before it says that nothing
waits."""


@dataclass(frozen=True, slots=True)
class ClaimNextImport:
    begin: Begin
    user_directory: UserDirectory
    lease_seconds: float
    max_running: int
    """How many imports of one owner may run at a time."""

    async def __call__(self, worker: str) -> Lease | None:
        """The next import's lease, None when nothing waits. InvalidWorker for a name that can't be kept."""
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
        # Asked outside of the transaction that claims: there is one claim at a time.
        if await self.user_directory.is_active(lease.owner_id):
            return False
        with suppress(LeaseLost):  # somebody has ended it meanwhile
            await fail_without_owner(self.begin, lease.import_id, lease.fence)
        return True


async def fail_without_owner(begin: Begin, import_id: UUID, fence: int) -> None:
    """Ends an import whose owner is not to have any more tasks. LeaseLost under another fence."""
    async with begin() as work:
        await work.ingest.finish(import_id, fence, State.FAILED, OWNER_DISABLED)
        await work.commit()


async def requeue(begin: Begin, import_id: UUID, fence: int) -> None:
    """Queues an import again for which something is away: not held against its file, as fruitless claims are."""
    async with begin() as work:
        await work.ingest.release_lease(import_id, fence)
        await work.commit()


@dataclass(frozen=True, slots=True)
class ReadUpload:
    begin: Begin
    store: ObjectStore
    lease_seconds: float

    async def __call__(self, import_id: UUID, fence: int, offset: int) -> AsyncIterator[bytes]:
        """The file's bytes from the offset on. A file that is gone or another one ends the import as failed."""
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
    """What is committed, whether other imports wait for a worker, and whether this one has ended by it."""

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
    """Does with a batch all that needs no transaction, so that it is done while the batch before is being written."""

    begin: Begin
    user_directory: UserDirectory
    encode_rows: RowEncoder

    async def __call__(self, context: IngestContext, fence: int, batch: Batch) -> PreparedBatch:
        """The batch, judged. Unavailable when those whom it names can't be looked up."""
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
            # Who only wants to know gets the same counts and errors, and no task.
            if not context.validate_only:
                prepared.rows.append(self.encode_rows(context, accepted))
            await asyncio.sleep(0)  # whoever waits for an answer does not wait for the whole batch
        return prepared


@dataclass(frozen=True, slots=True)
class IngestBatch:
    """Commits one batch: fence, tasks, history, row errors, counters, checkpoint and lease, all or none."""

    begin: Begin
    user_directory: UserDirectory
    write_rows: WriteRows
    lease_seconds: float

    async def __call__(
        self, context: IngestContext, fence: int, batch: PreparedBatch, meanwhile: Callable[[], None]
    ) -> Progress:
        """Calls `meanwhile` once the database works on the rows by itself: it is the time to prepare the next batch."""
        if not await self.user_directory.is_active(context.owner_id):
            await fail_without_owner(self.begin, context.import_id, fence)
            return Progress(batch.begin, has_pending=False, finished=True)
        while True:
            # Somebody may take an external_id between the look and the write. The next look sees it, and each time
            # there are fewer left to take.
            with suppress(ExternalIdTaken):
                return await self._write(context, fence, batch, meanwhile)

    async def _write(
        self, context: IngestContext, fence: int, batch: PreparedBatch, meanwhile: Callable[[], None]
    ) -> Progress:
        import_id, limit = context.import_id, context.max_errors
        async with self.begin() as work:
            # First of all: it locks the import's row and refuses an old fence before anything is written.
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
        """The file was read to its end, or to what the parser could not go on from."""
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
    """Drops what imports that only validated had to remember until their end."""

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
