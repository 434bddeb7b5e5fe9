"""Creating, reading, changing and listing tasks."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from chassis.kernel.pagination import Page, PageRequest
from task_service.history.domain.events import Actor
from task_service.idempotency.key import IdempotencyKey
from task_service.tasks.domain.stats import Stats, days_from, first_day
from task_service.tasks.domain.task import Task, TaskDraft, new_task
from task_service.tasks.domain.task_query import TaskQuery
from task_service.tasks.usecases.ports import Read, TaskTransactions, UserDirectory
from task_service.tasks.usecases.task_changes import create_task, ensure_assignee_exists, ensure_visible, update_task


@dataclass(frozen=True, slots=True)
class CreateTask:
    """Create a task."""

    transactions: TaskTransactions
    users: UserDirectory
    new_id: NewId

    async def __call__(self, caller: Caller, draft: TaskDraft, key: IdempotencyKey | None = None) -> Task:
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                task = await accept_draft(self.users, caller, draft, self.new_id)
                work = await transaction.begin()
                await create_task(work, task, actor=Actor.of(caller), new_id=self.new_id)
                await transaction.commit((task,))
        return transaction.response[0]


async def accept_draft(users: UserDirectory, caller: Caller, draft: TaskDraft, new_id: NewId) -> Task:
    """Return the task of a draft, or raise all that is invalid. It may call auth_service, so no transaction is open."""
    values = draft.validate()
    owner_id = draft.owner_for(caller)
    await ensure_assignee_exists(users, values.assignee_id, caller)
    return new_task(values, task_id=new_id(), owner_id=owner_id)


@dataclass(frozen=True, slots=True)
class Update:
    """Requested change of one task."""

    task_id: UUID
    draft: TaskDraft
    mask: Collection[str]
    etag: str


@dataclass(frozen=True, slots=True)
class UpdateTask:
    """Change the fields of a task that the mask names."""

    transactions: TaskTransactions
    users: UserDirectory
    now: Clock
    new_id: NewId

    async def __call__(self, caller: Caller, update: Update, key: IdempotencyKey | None = None) -> Task:
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                values = await accept_update(self.users, caller, update)
                work = await transaction.begin()
                task = await update_task(
                    work, update.task_id, values, etag=update.etag, caller=caller, now=self.now(), new_id=self.new_id
                )
                await transaction.commit((task,))
        return transaction.response[0]


async def accept_update(users: UserDirectory, caller: Caller, update: Update) -> dict[str, object]:
    """Return the new values, or raise all that is invalid. It may call auth_service, so no transaction is open."""
    values = update.draft.changes(update.mask)
    await ensure_assignee_exists(users, values.get("assignee_id"), caller)
    return values


@dataclass(frozen=True, slots=True)
class GetTask:
    """Return one task, live or deleted."""

    read: Read

    async def __call__(self, caller: Caller, task_id: UUID) -> Task:
        async with self.read() as session:
            return ensure_visible(await session.tasks.get(task_id), caller)


class TaskList(NamedTuple):
    """A page, and the number of tasks on all pages if it was requested."""

    page: Page[Task]
    total: int | None


@dataclass(frozen=True, slots=True)
class ListTasks:
    """Return a page of tasks."""

    read: Read
    now: Clock

    async def __call__(self, query: TaskQuery, request: PageRequest, *, with_total: bool = False) -> TaskList:
        today = self.now().date()
        async with self.read() as session:
            page = await session.tasks.page(query, request, today)
            return TaskList(page, await session.tasks.count(query, today) if with_total else None)


@dataclass(frozen=True, slots=True)
class GetTaskStats:
    """Return counts of live tasks."""

    read: Read
    now: Clock

    async def __call__(self, query: TaskQuery, days: int) -> tuple[Stats, list[date]]:
        """Return the counts, and the days by which completions are counted. Raises DaysOutOfRange."""
        today = self.now().date()
        first = first_day(days, today)
        async with self.read() as session:
            return await session.tasks.stats(query, first, today), days_from(first, today)
