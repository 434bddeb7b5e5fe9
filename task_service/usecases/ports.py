"""What the use cases need of the outside."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self
from uuid import UUID

from chassis.kernel import Page, PageRequest
from task_service.domain.csv_header import Header
from task_service.domain.event_log import EventQuery, Logged, Place
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
from task_service.domain.query import TaskQuery
from task_service.domain.rows import Batch
from task_service.domain.stats import Stats
from task_service.domain.task import Task, Values


class Tasks(Protocol):
    """The tasks."""

    async def add(self, task: Task) -> None:
        """Keeps a new task. ExternalIdTaken."""

    async def get(self, task_id: UUID) -> Task | None:
        """The task, a deleted one too."""

    async def lock(self, task_id: UUID) -> Task | None:
        """The task, which nobody else can change until the unit of work is over."""

    async def update(self, task: Task) -> None:
        """Keeps a task's new values. ExternalIdTaken."""

    async def remove(self, task_id: UUID) -> None:
        """Forgets a task for good."""

    async def due_for_purge(self, now: datetime, most: int) -> Sequence[Task]:
        """Deleted tasks whose time is over, locked; those that somebody else has locked are left out."""

    async def external_ids_taken(self, owner_id: UUID, among: Collection[str]) -> set[str]:
        """Which of these the owner's live tasks have."""

    async def page(self, query: TaskQuery, request: PageRequest, today: date) -> Page[Task]:
        """A page of a list; `today` is what overdue is against."""

    async def stats(self, query: TaskQuery, first: date, today: date) -> Stats:
        """Counts of the live tasks in a query's sight; completions from the first day on."""

    async def count(self, query: TaskQuery, today: date) -> int:
        """How many tasks all pages of a list hold together."""


class Once(NamedTuple):
    """What makes a call safe to repeat: the caller's key, and a digest of all that was asked under it."""

    key: str
    digest: bytes


class Answers(Protocol):
    """What was answered under each caller's idempotency keys."""

    async def claim(self, caller_id: UUID, once: Once, now: datetime, kept_for: timedelta) -> bool:
        """Takes the key for this unit of work; False when another one has it, whose end this waits for."""

    async def find(self, caller_id: UUID, once: Once, now: datetime, kept_for: timedelta) -> tuple[Task, ...] | None:
        """What was answered; None when nothing was. IdempotencyKeyReused when something else was asked."""

    async def keep(self, caller_id: UUID, once: Once, tasks: tuple[Task, ...]) -> None:
        """Keeps the answer under a key that was claimed."""

    async def forget(self, before: datetime) -> int:
        """Forgets what is older; how many there were."""


class History(Protocol):
    """The history. It only grows."""

    async def record(self, event: TaskEvent) -> None:
        """Keeps an event."""

    async def of_task(self, task_id: UUID, request: PageRequest) -> Page[TaskEvent]:
        """One task's events, oldest first."""


class EventLog(Protocol):
    """The events of all tasks in the order of their commits."""

    async def horizon(self) -> int:
        """The transaction below which nothing can be added any more."""

    async def page(self, query: EventQuery, request: PageRequest) -> Page[Logged]:
        """A page of the log up to the horizon. InvalidPageToken."""

    async def following(self, query: EventQuery, after: Place, before: int, most: int) -> list[Logged]:
        """Events behind a place, of transactions below `before`, the oldest first."""


class People(Protocol):
    """Who has an account, as auth_service knows it. Unavailable when it can't be asked."""

    async def is_known(self, user_id: UUID) -> bool:
        """Whether there is such a user, who may log in."""

    async def named(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        """The users of these names; a name that nobody has is left out."""


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

    def __call__(self, context: IngestContext, accepted: Sequence[Values]) -> Any: ...


class PreparedBatch(NamedTuple):
    """A batch with everything done that needs no database."""

    source: Batch
    accepted: int
    rows: Any
    failed: Sequence[FailedRow]

    @property
    def begin(self) -> Checkpoint:
        return self.source.begin

    @property
    def end(self) -> Checkpoint:
        return self.source.end


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
    def answers(self) -> Answers: ...
    @property
    def tasks(self) -> Tasks: ...
    @property
    def history(self) -> History: ...
    @property
    def event_log(self) -> EventLog: ...
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
