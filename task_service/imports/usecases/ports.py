"""What the use cases of uploads and imports need of the outside."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from chassis.kernel.pagination import Page, PageRequest
from task_service.imports.domain.csv_header import Header
from task_service.imports.domain.duplicates import KeyedRow
from task_service.imports.domain.failed_rows import FailedRow, Quota, RejectedRow, RowError
from task_service.imports.domain.imports import (
    Checkpoint,
    Counts,
    Failure,
    Import,
    IngestContext,
    Lease,
    NewImport,
    State,
)
from task_service.imports.domain.rows import Batch
from task_service.tasks.domain.task import Task, Values


class StoredUpload(NamedTuple):
    """What arrived."""

    size: int
    sha256: bytes
    etag: str
    """The store's word for exactly these bytes; empty where it has none."""


class Uploads(Protocol):
    """Imports while their files arrive, and the files that are stored."""

    async def add(self, new: NewImport) -> None:
        """Keeps an import in state uploading."""

    async def queue(self, import_id: UUID, header: Header, upload: StoredUpload) -> bool:
        """Makes an uploading import queued; False when the sweeper took it meanwhile."""

    async def find_duplicate_file(self, import_id: UUID, sha256: bytes) -> UUID | None:
        """The owner's first import of the same bytes, unless it failed, was cancelled, was undone or only validated.

        Until the unit of work is over nobody else can ask this about the same bytes of the same owner.
        """

    async def stored_bytes(self, owner_id: UUID) -> int:
        """How much the stored files of an owner's imports take; those that still arrive don't count.

        Until the unit of work is over nobody else can ask this about the same owner.
        """

    async def expired(self, before: datetime) -> Sequence[UUID]:
        """Imports that ended before then and whose file is still stored."""

    async def mark_file_deleted(self, import_id: UUID) -> None:
        """Notes that an import's file is no longer stored."""

    async def lock(self, import_id: UUID) -> bool:
        """Keeps an uploading import from becoming queued until the unit of work is over; False when it was queued.

        One that is gone never will be.
        """

    async def remove(self, import_id: UUID) -> None:
        """Forgets an import that is still uploading."""

    async def abandoned(self, before: datetime) -> Sequence[UUID]:
        """Imports that began to upload before then and never finished."""


class Imports(Protocol):
    """The imports as their owners see them."""

    async def get(self, import_id: UUID) -> Import | None:
        """The import."""

    async def page(self, owner_id: UUID | None, request: PageRequest) -> Page[Import]:
        """Imports, newest first; everybody's for None."""

    async def errors(self, import_id: UUID, request: PageRequest) -> Page[RowError]:
        """An import's row errors, in the order of the file."""

    async def cancel(self, import_id: UUID) -> None:
        """Ends an import that waits or runs as cancelled, and leaves any other as it is."""

    async def column_names(self, import_id: UUID) -> Sequence[str]:
        """What the file's header line calls its columns."""

    async def failed_rows(self, import_id: UUID, after: int, most: int) -> Sequence[RejectedRow]:
        """Rows that were wrong, in the order of the file, behind a record."""


class Advanced(NamedTuple):
    """What the import was like before a batch that was let in."""

    has_pending: bool
    rows_failed: int
    kept: Quota
    """What is kept already of its wrong rows."""


class RowEncoder(Protocol):
    """Turns the values of new tasks into what `Ingest.write` takes some of; needs no database, and so no waiting."""

    def __call__(self, context: IngestContext, accepted: Sequence[Values]) -> Any: ...


class PreparedBatch(NamedTuple):
    """A batch with everything done that needs no database."""

    source: Batch
    accepted: list[Values]
    rows: list[Any]
    """All accepted ones as `RowEncoder` made them, some at a time; none where nothing is to be written."""
    failed: list[FailedRow]
    keyed: list[KeyedRow]
    """Those of the accepted whose fate is open."""

    @property
    def counts(self) -> Counts:
        """What is certain already."""
        return Counts(created=len(self.accepted) - len(self.keyed), failed=len(self.failed))

    @property
    def begin(self) -> Checkpoint:
        return self.source.begin

    @property
    def end(self) -> Checkpoint:
        return self.source.end


class ImportQueue(Protocol):
    """The imports that wait for a worker. Time is the database's throughout."""

    async def claim(self, worker: str, lease_seconds: float, max_running: int) -> Lease | None:
        """Leases the import whose turn it is, under a new fence; of no owner who has `max_running` running."""

    async def has_waiting(self, max_running: int) -> bool:
        """Whether there is an import to claim, locked or not."""

    async def mark_notified(self, max_running: int) -> int:
        """Counts the imports that could be claimed and are due for a wake-up, and puts off their next one."""


class Ingest(Protocol):
    """The imports as workers work on them. Time is the database's throughout."""

    async def stored(self, import_id: UUID) -> StoredUpload:
        """What was uploaded."""

    async def checkpoint(self, import_id: UUID, fence: int, lease_seconds: float) -> tuple[Checkpoint, IngestContext]:
        """Renews the lease and says where to go on. LeaseLost under another fence."""

    async def advance(self, import_id: UUID, fence: int, batch: PreparedBatch, lease_seconds: float) -> Advanced:
        """Moves the checkpoint, counts what is certain of the batch, and renews the lease.

        LeaseLost under another fence, BatchNotAtCheckpoint when the checkpoint is not where the batch begins.
        """

    async def count(self, import_id: UUID, counts: Counts) -> None:
        """Counts what came of the batch's other rows."""

    async def write(self, rows: Sequence[Any], meanwhile: Callable[[], None]) -> None:
        """Keeps tasks and their history, as `RowEncoder` made them.

        Calls `meanwhile` once the database has rows to work on for a while.
        """

    async def keep(self, import_id: UUID, failed: Sequence[FailedRow]) -> None:
        """Keeps wrong rows and what is wrong with them."""

    async def finish(self, import_id: UUID, fence: int, state: State, failure: Failure | None) -> None:
        """Puts the import into a final state. LeaseLost under another fence."""

    async def release_lease(self, import_id: UUID, fence: int) -> None:
        """Queues the import again, behind those that wait. LeaseLost under another fence."""


class DryRunState(Protocol):
    """What imports that only validate would have made so far: the tasks that have external_ids."""

    async def seen(self, import_id: UUID, among: Collection[str]) -> Sequence[Task]:
        """The tasks with these external_ids, as they would be."""

    async def remember(self, import_id: UUID, tasks: Sequence[Task]) -> None:
        """Keeps tasks as they would be now, instead of what they would have been before."""

    async def forget(self, most: int) -> int:
        """Forgets what imports that have ended would have made, so many tasks at the most; how many there were."""


class ObjectStore(Protocol):
    """Where uploads are kept."""

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> str:
        """Stores a stream so that it survives a power cut, and answers its etag.

        Nothing is kept when the stream raises, or the caller is cancelled. StorageFull, Unavailable.
        """

    def read(self, key: str, offset: int, upload: StoredUpload) -> AsyncIterator[bytes]:
        """The object's bytes from an offset on.

        StoredFileChanged when they are gone or not those of the upload, Unavailable when the store is away.
        """

    async def delete(self, key: str) -> None:
        """Forgets an object; nothing happens when there is none. Unavailable."""


class ImportNotifications(Protocol):
    """Tells watchers that an import changed."""

    def subscribe(self, import_id: UUID) -> AbstractContextManager["Notification"]:
        """A signal that is set by each committed change of the import from now on."""


class Notification(Protocol):
    """Something to wait for, again and again."""

    async def wait(self, seconds: float) -> None:
        """Returns when a change was committed since the last wait, or after so many seconds."""


class WorkerNotifier(Protocol):
    """Tells workers that there is work. A lost or doubled wake-up does no harm."""

    async def publish(self, count: int) -> None:
        """Sends up to `count` wake-ups; never raises, for the next round sends again."""
