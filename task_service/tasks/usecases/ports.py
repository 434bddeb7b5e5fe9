"""Ports of the use cases about tasks."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from chassis.kernel.pagination import Section
from chassis.kernel.sessions import ReadSession, UnitOfWork
from task_service.history.usecases.ports import TaskEvents
from task_service.idempotency.records import IdempotencyRecords
from task_service.idempotency.transaction import IdempotentTransactions
from task_service.tasks.domain.listed_task import ListedTask
from task_service.tasks.domain.stats import Stats
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_events import TaskWithEvent
from task_service.tasks.domain.task_query import TaskQuery
from task_service.tasks.domain.task_upsert import UpsertResult


class Tasks(Protocol):
    """Repository of tasks."""

    async def add(self, task: Task) -> None:
        """Insert a task. Raises ExternalIdTaken."""

    async def add_with_events(self, new: Sequence[TaskWithEvent]) -> None:
        """Insert tasks and their first events in one statement. Raises ExternalIdTaken."""

    async def add_all(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Insert tasks in their order. Return those that were not inserted because their external_id is taken."""

    async def get(self, task_id: UUID) -> Task | None:
        """Return the task, live or deleted. Return None for an unknown id."""

    async def get_each(self, task_ids: Sequence[UUID]) -> Sequence[Task | None]:
        """Return the task of each id, live or deleted, in the order of the ids. None stands for an unknown id."""

    async def get_all(self, task_ids: Sequence[UUID]) -> Sequence[Task]:
        """Return the existing tasks of these ids, live or deleted, in id order."""

    async def lock(self, task_id: UUID) -> Task | None:
        """Return the task and lock it until the transaction ends. Return None for an unknown id."""

    async def update(self, task: Task) -> None:
        """Write the new values of a task. Raises ExternalIdTaken."""

    async def remove_all(self, task_ids: Sequence[UUID]) -> None:
        """Delete the rows of tasks."""

    async def lock_expired(self, now: datetime, limit: int) -> Sequence[Task]:
        """Return and lock deleted tasks whose purge_at has passed; skip tasks that another transaction has locked."""

    async def lock_all(self, task_ids: Sequence[UUID]) -> Sequence[Task]:
        """Return the existing tasks of these ids, locked in id order."""

    async def update_all(self, tasks: Sequence[Task]) -> None:
        """Write the new values of many tasks. Raises ExternalIdTaken."""

    async def lock_external_ids(self, owner_ids: Collection[UUID]) -> None:
        """Wait until no other transaction writes several external_ids of one of these owners, and lock them.

        Call it before any task is locked: two transactions that wait for each other's external_ids would deadlock.
        """

    async def find_by_external_ids(
        self, owner_id: UUID, external_ids: Collection[str], *, lock: bool
    ) -> Sequence[Task]:
        """Return the owner's live tasks with these external_ids. With `lock` they are locked in id order."""


class TaskLists(Protocol):
    """Lists, totals and counts of tasks. Each section reads a bounded number of rows."""

    async def read_section(
        self, query: TaskQuery, after: bytes, today: date, *, limit: int, max_rows: int, max_sorted: int
    ) -> Section[ListedTask]:
        """Return up to `limit` tasks of a list after a key, found among the next `max_rows` rows.

        Tasks are overdue relative to `today`. An order that no index gives needs all tasks. Raises QueryTooExpensive if
        they are more than `max_sorted`, and InvalidPageToken for a forged key.
        """

    async def count_section(
        self, query: TaskQuery, after: bytes, today: date, *, limit: int, max_rows: int
    ) -> tuple[int, bytes]:
        """Return the number of a list's tasks among the next `max_rows` rows after a key, at most `limit`.

        Also return the key of the last row; it is empty if there are no more rows.
        """

    async def stats_section(
        self, query: TaskQuery, after: bytes, today: date, *, first_day: date, max_rows: int
    ) -> tuple[Stats, bytes]:
        """Return counts of the next `max_rows` rows after a key, and the key of the last row, as count_section does.

        Completions count from `first_day` on.
        """


class UserDirectory(Protocol):
    """Look-ups of users in auth_service. All except `is_active` raise Unavailable in an outage."""

    async def exists(self, user_id: UUID) -> bool:
        """Return whether an active user has this id."""

    async def is_active(self, user_id: UUID) -> bool:
        """Return False within seconds after the account was disabled or deleted. Never raises."""

    async def ids_by_username(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        """Return the ids of active users. Unknown names are left out."""

    async def ids_by_email(self, emails: Collection[str]) -> Mapping[str, UUID]:
        """Return the ids of active users. Unknown emails are left out."""

    async def usernames_by_id(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """Return the usernames of at most 1,000 users. Users without an account are left out."""


class TasksReadSession(ReadSession, Protocol):
    """Repositories for reads."""

    @property
    def tasks(self) -> Tasks: ...
    @property
    def task_lists(self) -> TaskLists: ...
    @property
    def events(self) -> TaskEvents: ...
    @property
    def idempotency(self) -> IdempotencyRecords: ...


class TasksUnitOfWork(TasksReadSession, UnitOfWork, Protocol):
    """Repositories in one transaction."""


FindTask = Callable[[UUID], Awaitable[Task | None]]
AddTask = Callable[[TaskWithEvent], Awaitable[None]]
Begin = Callable[[], TasksUnitOfWork]
Read = Callable[[], TasksReadSession]
WriteOne = Callable[[], TasksReadSession]
"""Session for a single statement that writes, which is a transaction of its own."""
Scan = Callable[[], TasksReadSession]
"""Session for reads that no index serves. Few run at once, and each statement has little time."""
TaskTransactions = IdempotentTransactions[TasksUnitOfWork, tuple[Task, ...]]
"""Idempotent transactions whose response is a list of tasks, as they were when the first request committed."""
UpsertTransactions = IdempotentTransactions[TasksUnitOfWork, tuple[UpsertResult, ...]]
