"""Use case of the ingest stream: batches of rows from a worker, committed one by one under its lease."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from task_service.imports.domain.errors import LeaseLost
from task_service.imports.domain.imports import Failure, WaitReason
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.usecases.ingest import Progress
from task_service.imports.usecases.leases import RenewLease, postpone_in_outage
from task_service.imports.usecases.prefetcher import Prefetcher
from task_service.imports.usecases.prepared_batch import PreparedBatch
from task_service.imports.usecases.unit_of_work import Begin


class FinishReason(Enum):
    """Reason for the last message of a stream. A parse failure is a Failure instead."""

    END_OF_FILE = "end of file"
    LEASE_RELEASED = "lease released"


Finish = FinishReason | Failure


@dataclass(frozen=True, slots=True)
class IngestRows:
    """Commit the batches of one stream. The next batch is prepared while the database writes the current one."""

    begin: Begin
    renew_lease: RenewLease
    prepare_batch: Callable[[IngestContext, int, Batch], Awaitable[PreparedBatch]]
    ingest_batch: Callable[[IngestContext, int, PreparedBatch, Callable[[], None]], Awaitable[Progress]]
    finish_ingest: Callable[[UUID, int, Failure | None], Awaitable[None]]
    release_lease: Callable[[UUID, int], Awaitable[None]]
    is_draining: Callable[[], bool]
    is_paused: Callable[[], bool]

    async def __call__(
        self, import_id: UUID, fence: int, messages: AsyncIterator[Batch | Finish]
    ) -> AsyncIterator[Progress]:
        """Yield the checkpoint, and then the progress after each batch and after finish.

        The stream ends after finish, or after a batch when this process is draining: the worker then opens a stream to
        another process. A stream that ends without finish does not end the import.

        Raises:
            LeaseLost: another worker has the lease.
            MalformedBatch: a batch contradicts itself or the file.
            Unavailable: the import is queued again, and the lease is lost.

        """
        async with (
            postpone_in_outage(self.begin, import_id, fence, WaitReason.DATABASE),
            aclosing(self._ingest(import_id, fence, messages)) as steps,
        ):
            async for progress in steps:
                yield progress

    async def _ingest(
        self, import_id: UUID, fence: int, messages: AsyncIterator[Batch | Finish]
    ) -> AsyncGenerator[Progress]:
        checkpoint, context = await self.renew_lease(import_id, fence)
        yield Progress(checkpoint, has_pending=False, finished=False)
        async with aclosing(Prefetcher(self._prepare_all(messages, context, fence))) as steps:
            async for step in steps:
                if not isinstance(step, PreparedBatch):
                    await self._finish(import_id, fence, step)
                    yield Progress(checkpoint, has_pending=False, finished=True)
                    return
                progress = await self.ingest_batch(context, fence, step, steps.start_next)
                checkpoint = progress.checkpoint
                yield progress
                if progress.finished or self.is_draining():
                    return
                if self.is_paused():
                    await self.release_lease(import_id, fence)
                    raise LeaseLost

    async def _prepare_all(
        self, messages: AsyncIterator[Batch | Finish], context: IngestContext, fence: int
    ) -> AsyncGenerator[PreparedBatch | Finish]:
        """Yield the prepared batches up to finish. Nothing is read after finish."""
        async for message in messages:
            if not isinstance(message, Batch):
                yield message
                return
            message.check(context)
            prepared = await self.prepare_batch(context, fence, message)
            context = context._replace(orphaned_rows=context.orphaned_rows + prepared.selection.orphans)
            yield prepared

    async def _finish(self, import_id: UUID, fence: int, finish: Finish) -> None:
        if finish is FinishReason.LEASE_RELEASED:
            await self.release_lease(import_id, fence)
        else:
            await self.finish_ingest(import_id, fence, finish if isinstance(finish, Failure) else None)
