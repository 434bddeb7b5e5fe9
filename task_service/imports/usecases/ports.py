"""Ports of the use cases about imports."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from chassis.kernel.pagination import Page, PageRequest
from task_service.imports.domain.duplicate_file import DuplicateImport
from task_service.imports.domain.header.header import Header
from task_service.imports.domain.imports import Checkpoint, Counts, Failure, Import, Lease, NewImport, State, WaitReason
from task_service.imports.domain.queue_depth import QueueDepth
from task_service.imports.domain.rows.failed_rows import ErrorReportRow, FailedRow, Quota, RowError
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.usecases.prepared_batch import PreparedBatch
from task_service.tasks.domain.task import Task, Values


class StoredUpload(NamedTuple):
    """Stored file of an upload."""

    size: int
    sha256: bytes
    etag: str
    """The store's etag of exactly these bytes; empty if the store has none."""


class Uploads(Protocol):
    """Imports in state uploading, and the stored files."""

    async def add(self, new: NewImport) -> None:
        """Insert an import in state uploading."""

    async def queue(self, import_id: UUID, header: Header, upload: StoredUpload) -> bool:
        """Change an uploading import to queued; return False if the cleanup has deleted it."""

    async def find_duplicate_file(self, import_id: UUID, sha256: bytes) -> DuplicateImport | None:
        """Return the owner's first import of the same bytes.

        Failed, cancelled and undone imports and dry runs do not count. The call locks these bytes of this owner until
        the transaction ends.
        """

    async def stored_bytes(self, owner_id: UUID) -> int:
        """Return the size of an owner's stored files, without unfinished uploads, and lock the owner's quota."""

    async def stored_bytes_of_all(self) -> int:
        """Return the size of all stored files of all owners, without unfinished uploads.

        The call locks the storage until the transaction ends. Call it after stored_bytes.
        """

    async def find_expired(self, before: datetime) -> Sequence[UUID]:
        """Return some imports that ended before this time and whose file is still stored, in random order."""

    async def mark_file_deleted(self, import_id: UUID) -> None:
        """Record that an import's file was deleted."""

    async def lock_uploading(self, import_id: UUID) -> bool:
        """Lock an uploading import, so that it can't be queued until the transaction ends.

        Return False if it was queued before. Return True if the import does not exist.
        """

    async def delete(self, import_id: UUID) -> None:
        """Delete an import that is still uploading."""

    async def find_abandoned(self, before: datetime) -> Sequence[UUID]:
        """Return some imports whose upload began before this time and never finished, in random order."""


class Imports(Protocol):
    """Imports as their owners see them."""

    async def get(self, import_id: UUID) -> Import | None:
        """Return the import; None if it does not exist."""

    async def list_page(self, owner_id: UUID | None, request: PageRequest) -> Page[Import]:
        """Return a page of imports, newest first. Without an owner: of all owners."""

    async def list_errors(self, import_id: UUID, request: PageRequest) -> Page[RowError]:
        """Return a page of an import's row errors, in file order."""

    async def cancel(self, import_id: UUID) -> bool:
        """Cancel a queued or running import. Return False for any other import, which stays as it is."""

    async def get_column_names(self, import_id: UUID) -> Sequence[str]:
        """Return the column names of the file's header line."""

    async def list_failed_rows(self, import_id: UUID, after: int, limit: int) -> Sequence[ErrorReportRow]:
        """Return rejected rows after a record, in file order."""


class PreviousTotals(NamedTuple):
    """Totals of an import before an accepted batch."""

    has_pending: bool
    rows_failed: int
    stored_failed_rows: Quota
    """Rejected rows that are already stored."""


class RowEncoder(Protocol):
    """Encoder of new tasks for `Ingest.insert_rows`. It needs no database."""

    def __call__(self, context: IngestContext, accepted: Sequence[Values]) -> Any: ...


class ImportQueue(Protocol):
    """Queue of imports that wait for a worker. All times are the database's."""

    async def claim(self, worker: str, lease_seconds: float, max_running: int) -> Lease | None:
        """Lease the next import under a new fence. Owners with `max_running` running imports are skipped."""

    async def has_waiting(self, max_running: int) -> bool:
        """Return whether there is an import to claim, locked or not."""

    async def mark_paused(self, *, is_paused: bool) -> None:
        """Let the queued imports say that they wait for the operator; if not paused, no longer."""

    async def mark_notified(self, max_running: int) -> Sequence[str]:
        """Mark the imports that are due for a wake-up, schedule the next one, and return the traceparent of each."""

    async def measure(self) -> Sequence[QueueDepth]:
        """Return number and age of the unfinished imports, by state."""


class Ingest(Protocol):
    """Imports as workers process them. All times are the database's."""

    async def get_upload(self, import_id: UUID) -> StoredUpload:
        """Return the stored file. Raises LeaseLost if the import does not exist."""

    async def renew_lease(self, import_id: UUID, fence: int, lease_seconds: float) -> tuple[Checkpoint, IngestContext]:
        """Renew the lease and return the checkpoint. Raises LeaseLost under another fence."""

    async def advance_checkpoint(
        self, import_id: UUID, fence: int, batch: PreparedBatch, lease_seconds: float
    ) -> PreviousTotals:
        """Advance the checkpoint, add the counts of the batch, and renew the lease.

        Raises LeaseLost under another fence, BatchNotAtCheckpoint if the batch does not begin at the checkpoint.
        """

    async def add_counts(self, import_id: UUID, counts: Counts) -> None:
        """Add the counts of the accepted rows with an external_id."""

    async def add_unknown_emails(self, import_id: UUID, digests: Collection[bytes]) -> int:
        """Add digests of unknown emails, and return the number of different ones; 0 if none is new."""

    async def insert_rows(self, rows: Sequence[Any], on_sent: Callable[[], None]) -> None:
        """Insert encoded tasks and events. Call `on_sent` while the database processes them, once for each table."""

    async def add_failed_rows(self, import_id: UUID, failed: Sequence[FailedRow]) -> None:
        """Store rejected rows and their errors."""

    async def finish(self, import_id: UUID, fence: int, state: State, failure: Failure | None) -> None:
        """Change the import to a final state. Raises LeaseLost under another fence."""

    async def release_lease(self, import_id: UUID, fence: int) -> None:
        """Release the lease and queue the import again, after the waiting ones.

        Raises LeaseLost under another fence.
        """

    async def postpone(self, import_id: UUID, fence: int, waits_for: WaitReason) -> None:
        """Release the lease and queue the import for a later time. The pause doubles up to five minutes.

        Raises LeaseLost under another fence.
        """


class DryRunState(Protocol):
    """State of dry runs: the tasks with external_ids that they would have created or changed so far."""

    async def find(self, import_id: UUID, external_ids: Collection[str]) -> Sequence[Task]:
        """Return the stored tasks with these external_ids."""

    async def save(self, import_id: UUID, tasks: Sequence[Task]) -> None:
        """Insert or replace the tasks, by external_id."""

    async def delete_ended(self, limit: int) -> int:
        """Delete up to `limit` tasks of ended imports; return their number."""


class ObjectStore(Protocol):
    """Store of uploaded files."""

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> str:
        """Store a stream durably (it survives a power failure) and return its etag.

        If the stream raises or the caller is cancelled, nothing is stored. Raises StorageFull, Unavailable.
        """

    def read(self, key: str, offset: int, upload: StoredUpload) -> AsyncIterator[bytes]:
        """Yield the object's bytes from an offset.

        Raises StoredFileChanged if the object is missing or is not the upload, Unavailable if the store is down.
        """

    async def delete(self, key: str) -> None:
        """Delete an object if it exists. Raises Unavailable."""


class ImportNotifications(Protocol):
    """Notifications about changes of imports."""

    def subscribe(self, import_id: UUID) -> AbstractContextManager["Notification"]:
        """Return a notification that is set by each committed change of the import from now on."""


class Notification(Protocol):
    """Reusable event."""

    async def wait(self, seconds: float) -> None:
        """Return when a change was committed since the last wait, or after the timeout."""


class WorkerNotifier(Protocol):
    """Publisher of wake-ups for workers. A lost or duplicate wake-up does no harm."""

    async def publish(self, traceparents: Sequence[str]) -> None:
        """Publish up to one wake-up for each import, given by its traceparent.

        Never raises: the next round publishes again.
        """
