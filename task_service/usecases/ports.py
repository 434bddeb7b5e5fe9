"""What the use cases need of the outside."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self
from uuid import UUID

from chassis.kernel import Page, PageRequest
from task_service.domain.csv_header import Header
from task_service.domain.history import TaskEvent
from task_service.domain.imports import (
    Checkpoint,
    FailedRow,
    Failure,
    Import,
    IngestContext,
    Lease,
    NewImport,
    RejectedRow,
    Room,
    RowError,
    State,
)
from task_service.domain.task import Status, Task, Values


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks. None and empty are no restriction."""

    owner_id: UUID | None = None
    statuses: frozenset[Status] = frozenset()
    import_id: UUID | None = None
    show_deleted: bool = False


class Tasks(Protocol):
    """The tasks."""

    async def add(self, task: Task) -> None:
        """Keeps a new task."""

    async def get(self, task_id: UUID) -> Task | None:
        """The task, a deleted one too."""

    async def lock(self, task_id: UUID) -> Task | None:
        """The task, which nobody else can change until the unit of work is over."""

    async def update(self, task: Task) -> None:
        """Keeps a task's new values."""

    async def page(self, query: TaskQuery, request: PageRequest) -> Page[Task]:
        """Tasks, newest first."""


class History(Protocol):
    """The history. It only grows."""

    async def record(self, event: TaskEvent) -> None:
        """Keeps an event."""

    async def of_task(self, task_id: UUID, request: PageRequest) -> Page[TaskEvent]:
        """One task's events, oldest first."""


class StoredUpload(NamedTuple):
    """What arrived."""

    size: int
    sha256: bytes
    etag: str
    """The store's word for exactly these bytes; empty where it has none."""


class Imports(Protocol):
    """The imports as their owners see them, and what an upload does to one."""

    async def add(self, new: NewImport) -> None:
        """Keeps an import in state uploading."""

    async def queue(self, import_id: UUID, header: Header, upload: StoredUpload) -> bool:
        """Makes an uploading import queued; False when the sweeper took it meanwhile."""

    async def same_file(self, import_id: UUID, sha256: bytes) -> UUID | None:
        """The owner's first import of the same bytes, unless it failed, was cancelled or only validated.

        Until the unit of work is over nobody else can ask this about the same bytes of the same owner.
        """

    async def expired(self, before: datetime) -> Sequence[UUID]:
        """Imports that ended before then and whose file is still stored."""

    async def forget_file(self, import_id: UUID) -> None:
        """Notes that an import's file is no longer stored."""

    async def lock_upload(self, import_id: UUID) -> bool:
        """Keeps an uploading import from becoming queued until the unit of work is over; False when it is not one."""

    async def remove_upload(self, import_id: UUID) -> None:
        """Forgets an import that is still uploading."""

    async def abandoned(self, before: datetime) -> Sequence[UUID]:
        """Imports that began to upload before then and never finished."""

    async def get(self, import_id: UUID) -> Import | None:
        """The import."""

    async def page(self, owner_id: UUID | None, request: PageRequest) -> Page[Import]:
        """Imports, newest first; everybody's for None."""

    async def errors(self, import_id: UUID, request: PageRequest) -> Page[RowError]:
        """An import's row errors, in the order of the file."""

    async def cancel(self, import_id: UUID) -> bool:
        """Ends an import that waits or runs as cancelled; False when it does neither."""

    async def column_names(self, import_id: UUID) -> Sequence[str]:
        """What the file's header line calls its columns."""

    async def failed_rows(self, import_id: UUID, after: int, most: int) -> Sequence[RejectedRow]:
        """Rows that were wrong, in the order of the file, behind a record."""


class Advanced(NamedTuple):
    """What the import was like before a batch that was let in."""

    others_wait: bool
    rows_failed: int
    kept: Room
    """What is kept already of its wrong rows."""


class BulkRows(Protocol):
    """Turns the values of new tasks into what `Ingest.write` takes; needs no database, and so no waiting."""

    def __call__(self, context: IngestContext, accepted: Sequence[Values], now: datetime) -> Any: ...


class PreparedBatch(NamedTuple):
    """A batch with everything done that needs no database."""

    begin: Checkpoint
    end: Checkpoint
    accepted: int
    rows: Any
    failed: Sequence[FailedRow]


class Ingest(Protocol):
    """The imports as workers work on them. Time is the database's throughout."""

    async def claim(self, worker: str, lease_seconds: float, at_once: int) -> Lease | None:
        """Leases the import whose turn it is, under a new fence; of no owner who has `at_once` running."""

    async def stored(self, import_id: UUID) -> StoredUpload:
        """What was uploaded."""

    async def something_waits(self, at_once: int) -> bool:
        """Whether there is an import to claim, locked or not."""

    async def checkpoint(self, import_id: UUID, fence: int, lease_seconds: float) -> tuple[Checkpoint, IngestContext]:
        """Renews the lease and says where to go on. LeaseLost under another fence."""

    async def advance(self, import_id: UUID, fence: int, batch: PreparedBatch, lease_seconds: float) -> Advanced:
        """Moves the checkpoint and the counters, and renews the lease.

        LeaseLost under another fence, BatchOutOfPlace when the checkpoint is not where the batch begins.
        """

    async def write(self, rows: Any) -> None:
        """Keeps tasks and their history, as `BulkRows` made them."""

    async def keep(self, import_id: UUID, failed: Sequence[FailedRow]) -> None:
        """Keeps wrong rows and what is wrong with them."""

    async def finish(self, import_id: UUID, fence: int, state: State, failure: Failure | None) -> None:
        """Puts the import into a final state. LeaseLost under another fence."""

    async def give_back(self, import_id: UUID, fence: int) -> None:
        """Queues the import again, behind those that wait. LeaseLost under another fence."""

    async def mark_woken(self) -> int:
        """Counts the imports that wait and are due for a wake-up, and puts off their next one."""


class Reading(Protocol):
    """A look at the data, without a transaction."""

    @property
    def tasks(self) -> Tasks: ...
    @property
    def history(self) -> History: ...
    @property
    def imports(self) -> Imports: ...
    @property
    def ingest(self) -> Ingest: ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class UnitOfWork(Reading, Protocol):
    """A transaction: leaving without `commit` undoes it."""

    async def commit(self) -> None:
        """Makes the work last."""


class ObjectStore(Protocol):
    """Where uploads are kept."""

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> str:
        """Stores a stream so that it survives a power cut, and answers its etag.

        Nothing is kept when the stream raises. StorageFull.
        """

    def read(self, key: str, offset: int, upload: StoredUpload) -> AsyncIterator[bytes]:
        """The object's bytes from an offset on. StoredFileChanged when they are gone or not those of the upload."""

    async def delete(self, key: str) -> None:
        """Forgets an object; nothing happens when there is none."""


class ImportSignals(Protocol):
    """Tells watchers that an import changed."""

    def subscribe(self, import_id: UUID) -> AbstractContextManager["Signal"]:
        """A signal that is set by each committed change of the import from now on."""


class Signal(Protocol):
    """Something to wait for, again and again."""

    async def wait(self, seconds: float) -> None:
        """Returns when a change was committed since the last wait, or after so many seconds."""


class WakeUps(Protocol):
    """Tells workers that there is work. A lost or doubled wake-up does no harm."""

    async def publish(self, count: int) -> None:
        """Sends up to `count` wake-ups; never raises, for the next round sends again."""
