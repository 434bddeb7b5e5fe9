"""What the use cases need of the outside."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import NamedTuple, Protocol, Self
from uuid import UUID

from chassis.kernel.pagination import Page, PageRequest
from task_service.history.usecases.ports import TaskEvents
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


class UserDirectory(Protocol):
    """Look-ups of users in auth_service. All but `is_active` raise Unavailable in an outage."""

    async def exists(self, user_id: UUID) -> bool:
        """Return whether an active user has this id."""

    async def is_active(self, user_id: UUID) -> bool:
        """Return False within seconds after the account was disabled or deleted. An outage changes nothing."""

    async def ids_by_username(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        """Return the ids of active users. Unknown names are left out."""

    async def usernames_by_id(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """Return the usernames of at most 1,000 users. Users without an account are left out."""


class Reading(Protocol):
    """A look at the data, without a transaction."""

    @property
    def answers(self) -> Answers: ...
    @property
    def tasks(self) -> Tasks: ...
    @property
    def events(self) -> TaskEvents: ...
    @property
    def uploads(self) -> Uploads: ...
    @property
    def import_queue(self) -> ImportQueue: ...
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
