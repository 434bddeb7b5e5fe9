"""Use cases for leases of imports. ClaimNextImport takes a lease, RenewLease renews it, ReleaseLease gives it up.

IngestBatch and ReadUpload renew the lease too.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

from chassis.kernel.errors import Unavailable
from task_service.imports.domain.errors import InvalidWorker, LeaseLost
from task_service.imports.domain.imports import (
    NO_PROGRESS,
    OWNER_DISABLED,
    Checkpoint,
    Failure,
    Lease,
    State,
    WaitReason,
)
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.usecases.metrics import record_claim, record_end, record_postponement
from task_service.imports.usecases.unit_of_work import Begin
from task_service.tasks.domain.values import find_control_character
from task_service.tasks.usecases.ports import UserDirectory

MAX_ATTEMPTS_WITHOUT_PROGRESS = 5
"""Maximum claims without progress of the checkpoint. After that the file is assumed to be the cause."""

MAX_WORKER_CHARACTERS = 255

CLAIM_RETRY_SECONDS = 0.02
MAX_CLAIM_RETRIES = 25
"""A claim skips a row that the dispatcher has locked, so it retries before it reports that no import is waiting."""


@dataclass(frozen=True, slots=True)
class ClaimNextImport:
    """Take the lease of the next waiting import."""

    begin: Begin
    user_directory: UserDirectory
    lease_seconds: float
    max_running: int
    """Maximum running imports of one owner."""
    is_paused: Callable[[], bool]

    async def __call__(self, worker: str) -> Lease | None:
        """Return the lease; None when no import is waiting, or imports are paused. Raises InvalidWorker."""
        if len(worker) > MAX_WORKER_CHARACTERS or find_control_character(worker):
            raise InvalidWorker(limit=MAX_WORKER_CHARACTERS)
        if self.is_paused():
            return None
        retries = MAX_CLAIM_RETRIES
        while True:
            async with self.begin() as work:
                lease = await work.import_queue.claim(worker, self.lease_seconds, self.max_running)
                is_stuck = lease is not None and lease.attempts_without_progress > MAX_ATTEMPTS_WITHOUT_PROGRESS
                if lease is not None and is_stuck:
                    await work.ingest.finish(lease.import_id, lease.fence, State.FAILED, NO_PROGRESS)
                is_locked = lease is None and await work.import_queue.has_waiting(self.max_running)
                await work.commit()
            if lease is not None:
                record_claim(lease)
            if is_stuck:
                record_end(State.FAILED, NO_PROGRESS)
            if is_locked and retries:
                retries -= 1
                await asyncio.sleep(CLAIM_RETRY_SECONDS)
            elif lease is None:
                return None
            elif not is_stuck and not await self._is_orphaned(lease):
                return lease

    async def _is_orphaned(self, lease: Lease) -> bool:
        """Return whether the owner is disabled or deleted; then the import has failed."""
        # Outside the claim's transaction, because claims run one at a time.
        async with postpone_in_outage(self.begin, lease.import_id, lease.fence, WaitReason.AUTH_SERVICE):
            if await self.user_directory.is_active(lease.owner_id):
                return False
        with suppress(LeaseLost):  # another process has ended it
            await finish_import(self.begin, lease.import_id, lease.fence, State.FAILED, OWNER_DISABLED)
        return True


@dataclass(frozen=True, slots=True)
class RenewLease:
    """Renew the lease at the start of an ingest stream."""

    begin: Begin
    lease_seconds: float

    async def __call__(self, import_id: UUID, fence: int) -> tuple[Checkpoint, IngestContext]:
        """Return the checkpoint and the data of the import. Raises LeaseLost under another fence."""
        async with self.begin() as work:
            checkpoint_and_context = await work.ingest.renew_lease(import_id, fence, self.lease_seconds)
            await work.commit()
        return checkpoint_and_context


@dataclass(frozen=True, slots=True)
class ReleaseLease:
    """Release the lease and queue the import again, after the waiting ones. This is no attempt without progress.

    Raises LeaseLost under another fence.
    """

    begin: Begin
    notify_queued: Callable[[], None]

    async def __call__(self, import_id: UUID, fence: int) -> None:
        async with self.begin() as work:
            await work.ingest.release_lease(import_id, fence)
            await work.commit()
        self.notify_queued()


@asynccontextmanager
async def postpone_in_outage(begin: Begin, import_id: UUID, fence: int, waits_for: WaitReason) -> AsyncIterator[None]:
    """Give the lease back if the block raises Unavailable: the import waits, and this is no attempt.

    If the database does not accept that either, the lease expires.
    """
    try:
        yield
    except Unavailable:
        with suppress(Unavailable, LeaseLost):
            async with begin() as work:
                await work.ingest.postpone(import_id, fence, waits_for)
                await work.commit()
            record_postponement(waits_for)
        raise


async def finish_import(begin: Begin, import_id: UUID, fence: int, state: State, failure: Failure | None) -> None:
    """Change an import to a final state. Raises LeaseLost under another fence."""
    async with begin() as work:
        await work.ingest.finish(import_id, fence, state, failure)
        await work.commit()
    record_end(state, failure)
