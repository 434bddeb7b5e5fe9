"""What the use cases need of the outside."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import NamedTuple, Protocol, Self
from uuid import UUID

from chassis.kernel.pagination import Page, PageRequest
from task_service.history.domain.event_log import EventQuery, Logged, Place
from task_service.history.domain.events import TaskEvent
from task_service.history.domain.hash_chain import Head, Seal, Standing
from task_service.imports.usecases.ports import ImportQueue, Imports, Ingest, Rehearsals, Uploads
from task_service.imports.usecases.undo_ports import Undos
from task_service.tasks.domain.stats import Stats
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_query import TaskQuery


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

    async def lock_all(self, task_ids: Sequence[UUID]) -> Sequence[Task]:
        """Those of the tasks that there are, locked in the order of their ids."""

    async def update_all(self, tasks: Sequence[Task]) -> None:
        """Keeps the new values of many tasks. ExternalIdTaken."""

    async def take_turns(self, owner_ids: Collection[UUID]) -> None:
        """Waits until nobody else is at taking several external_ids of one of these owners, and keeps others waiting.

        To be called before any task is locked: two that wait for one another's external_ids would wait for ever.
        """

    async def with_external_ids(self, owner_id: UUID, among: Collection[str], *, lock: bool) -> Sequence[Task]:
        """The owner's live tasks that have these external_ids; locked in the order of their ids, if at all."""

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


class Answer(NamedTuple):
    """What was answered under a key: tasks as they were then, or an import, which is told as it is now."""

    tasks: tuple[Task, ...] = ()
    import_id: UUID | None = None


class Answers(Protocol):
    """What was answered under each caller's idempotency keys."""

    async def claim(self, caller_id: UUID, once: Once, now: datetime, kept_for: timedelta) -> bool:
        """Takes the key for this unit of work; False when another one has it, whose end this waits for."""

    async def has(self, caller_id: UUID, key: str, now: datetime, kept_for: timedelta) -> bool:
        """Whether something was answered under a key, whatever was asked."""

    async def find(self, caller_id: UUID, once: Once, now: datetime, kept_for: timedelta) -> Answer | None:
        """What was answered; None when nothing was. IdempotencyKeyReused when something else was asked."""

    async def keep(self, caller_id: UUID, once: Once, answer: Answer) -> None:
        """Keeps the answer under a key that was claimed."""

    async def forget(self, before: datetime) -> int:
        """Forgets what is older; how many there were."""


class History(Protocol):
    """The history. It only grows."""

    async def record(self, event: TaskEvent) -> None:
        """Keeps an event."""

    async def record_all(self, events: Sequence[TaskEvent]) -> None:
        """Keeps many events."""

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


class Seals(Protocol):
    """The chain of seals over the log, and the log as it stands."""

    async def take_turn(self) -> bool:
        """Keeps others from adding seals until the unit of work is over; False when another one has the turn."""

    async def head(self) -> Head:
        """The newest seal; where there is none, what the first one will stand behind."""

    async def add(self, head: Head, most: int) -> int:
        """Seals so many of the next events below the horizon; how many there were. For none there is no seal."""

    async def following(self, number: int, most: int) -> list[Seal]:
        """Seals behind a number, in order."""

    async def standing(self, after: Place, most: int) -> list[Standing]:
        """Events behind a place, in the order of the log, sealed or not."""

    async def count_behind(self, place: Place) -> int:
        """How many events stand behind a place."""

    async def is_there(self, event_id: UUID) -> bool:
        """Whether the event is anywhere in the log. Reads all of it."""


class People(Protocol):
    """Who has an account, as auth_service knows it. Unavailable when it can't be asked."""

    async def is_known(self, user_id: UUID) -> bool:
        """Whether there is such a user, who may log in."""

    async def named(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        """The users of these names; a name that nobody has is left out."""

    async def called(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """What these users, at most 1000, are called; who has no account any more is left out."""


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
    def uploads(self) -> Uploads: ...
    @property
    def import_queue(self) -> ImportQueue: ...
    @property
    def seals(self) -> Seals: ...
    @property
    def imports(self) -> Imports: ...
    @property
    def ingest(self) -> Ingest: ...
    @property
    def rehearsals(self) -> Rehearsals: ...
    @property
    def undos(self) -> Undos: ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class UnitOfWork(Reading, Protocol):
    """A transaction: leaving without `commit` undoes it."""

    async def commit(self) -> None:
        """Makes the work last."""
