"""Creation, reading, update and lists of tasks."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from time import monotonic
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.errors import QueryTooExpensive
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from chassis.kernel.pagination import Page, PageRequest
from task_service.history.domain.events import Actor
from task_service.idempotency.key import IdempotencyKey
from task_service.tasks.domain.listed_task import ListedTask
from task_service.tasks.domain.stats import Stats, days_between, first_day, merge_stats
from task_service.tasks.domain.task import Task, TaskDraft, new_task
from task_service.tasks.domain.task_events import TaskWithEvent, task_created, task_updated
from task_service.tasks.domain.task_query import TaskQuery
from task_service.tasks.usecases.ports import (
    AddTask,
    FindTask,
    Read,
    Scan,
    TaskTransactions,
    UserDirectory,
    WriteOne,
)
from task_service.tasks.usecases.scans import ScanLimits, search_page
from task_service.tasks.usecases.task_changes import apply_update, ensure_assignee_exists, ensure_visible


@dataclass(frozen=True, slots=True)
class CreateTask:
    """Create a task."""

    transactions: TaskTransactions
    write_one: WriteOne
    add_task: AddTask
    user_directory: UserDirectory
    new_id: NewId

    async def __call__(self, caller: Caller, draft: TaskDraft, key: IdempotencyKey | None = None) -> Task:
        return await (self._create_once(caller, draft, key) if key else self._create(caller, draft))

    async def _create(self, caller: Caller, draft: TaskDraft) -> Task:
        """Create a task by one statement: BEGIN, a second INSERT and COMMIT would cost a third of the call."""
        task = await accept_draft(self.user_directory, caller, draft, self.new_id)
        new = TaskWithEvent(task, task_created(task, by=Actor.from_caller(caller), event_id=self.new_id()))
        if not task.external_id:
            await self.add_task(new)
            return task
        # Alone: the statement fails if the external_id is taken, and waits for a transaction that is taking it.
        async with self.write_one() as session:
            await session.tasks.add_with_events([new])
        return task

    async def _create_once(self, caller: Caller, draft: TaskDraft, key: IdempotencyKey) -> Task:
        """Create a task and store it under the key, in one transaction."""
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                task = await accept_draft(self.user_directory, caller, draft, self.new_id)
                work = await transaction.begin()
                await work.tasks.add(task)
                await work.events.record(task_created(task, by=Actor.from_caller(caller), event_id=self.new_id()))
                await transaction.commit((task,))
        return transaction.response[0]


async def accept_draft(user_directory: UserDirectory, caller: Caller, draft: TaskDraft, new_id: NewId) -> Task:
    """Return the task of a draft. Raises all validation errors together.

    Call it before the transaction begins, because it may wait for auth_service.
    """
    values = draft.validate()
    owner_id = draft.owner_for(caller)
    await ensure_assignee_exists(user_directory, values.assignee_id, caller)
    return new_task(values, task_id=new_id(), owner_id=owner_id)


@dataclass(frozen=True, slots=True)
class TaskUpdate:
    """Requested change of one task."""

    task_id: UUID
    draft: TaskDraft
    mask: Collection[str]
    etag: str


@dataclass(frozen=True, slots=True)
class UpdateTask:
    """Change the fields of a task that the mask names."""

    transactions: TaskTransactions
    user_directory: UserDirectory
    now: Clock
    new_id: NewId

    async def __call__(self, caller: Caller, update: TaskUpdate, key: IdempotencyKey | None = None) -> Task:
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                values = await accept_update(self.user_directory, caller, update)
                work = await transaction.begin()
                task = await work.tasks.lock(update.task_id)
                before, after = apply_update(task, values, etag=update.etag, caller=caller, now=self.now())
                if after is not before:
                    await work.tasks.update(after)
                    event = task_updated(before, after, by=Actor.from_caller(caller), event_id=self.new_id())
                    await work.events.record(event)
                await transaction.commit((after,))
        return transaction.response[0]


async def accept_update(user_directory: UserDirectory, caller: Caller, update: TaskUpdate) -> dict[str, object]:
    """Return the new values of an update. Raises all validation errors together.

    Call it before the transaction begins, because it may wait for auth_service.
    """
    values = update.draft.validate_changes(update.mask)
    await ensure_assignee_exists(user_directory, values.get("assignee_id"), caller)
    return values


@dataclass(frozen=True, slots=True)
class GetTask:
    """Get one task, live or deleted."""

    find_task: FindTask

    async def __call__(self, caller: Caller, task_id: UUID) -> Task:
        return ensure_visible(await self.find_task(task_id), caller)


class Total(NamedTuple):
    """Number of tasks on all pages."""

    size: int
    is_at_least: bool
    """There may be more: the count ended early."""


class TaskList(NamedTuple):
    """A page, and the total if it was requested."""

    page: Page[ListedTask]
    total: Total | None


class _Counted(NamedTuple):
    """Matches among the rows read so far, and the key of the last row; it is empty at both ends of the list."""

    total: int
    rows: int
    after: bytes


_NOTHING_COUNTED = _Counted(0, 0, b"")


@dataclass(frozen=True, slots=True)
class ListTasks:
    """List a page of tasks, with the total if it is requested."""

    read: Read
    scan: Scan
    now: Clock
    limits: ScanLimits

    async def __call__(self, query: TaskQuery, request: PageRequest, *, with_total: bool = False) -> TaskList:
        today, started = self.now().date(), monotonic()
        session = self.scan if query.may_scan else self.read
        search = await search_page(session, query, request, today, self.limits)
        if not with_total:
            return TaskList(search.page, None)
        if request.after or search.is_full:
            return TaskList(search.page, await self._count(query, today, _NOTHING_COUNTED, started=monotonic()))
        # The first page holds all matches so far. Only those after it are still to be counted, if there can be any.
        counted = _Counted(len(search.page.items), search.rows, search.end)
        return TaskList(search.page, await self._count(query, today, counted, started=started))

    async def _count(self, query: TaskQuery, today: date, counted: _Counted, *, started: float) -> Total:
        limits, (total, rows, after) = self.limits, counted
        steps = limits.step_sizes(query)
        while not rows or (after and not self._may_end(rows, started)):
            max_rows = next(steps)
            # One more than the maximum shows that there are more.
            limit = limits.max_counted + 1 - total
            async with self.scan() as session:
                found, after = await session.task_lists.count_section(
                    query, after, today, limit=limit, max_rows=max_rows
                )
            total += found
            rows += max_rows
            if total > limits.max_counted:
                return Total(limits.max_counted, is_at_least=True)
        return Total(total, is_at_least=bool(after))

    def _may_end(self, rows: int, started: float) -> bool:
        has_enough = rows >= self.limits.min_counted_rows
        max_seconds = self.limits.max_seconds if has_enough else self.limits.max_total_seconds
        return monotonic() >= started + max_seconds


@dataclass(frozen=True, slots=True)
class GetTaskStats:
    """Count the live tasks that match a query."""

    scan: Scan
    now: Clock
    limits: ScanLimits

    async def __call__(self, query: TaskQuery, days: int) -> tuple[Stats, list[date]]:
        """Return the counts, and the days by which completions are counted.

        Raises DaysOutOfRange; QueryTooExpensive if counting takes too long.
        """
        today = self.now().date()
        first, max_rows = first_day(days, today), self.limits.stats_step_rows
        sections: list[Stats] = []
        after = b""
        deadline = monotonic() + self.limits.max_stats_seconds
        while True:
            async with self.scan() as session:
                stats, after = await session.task_lists.stats_section(
                    query, after, today, first_day=first, max_rows=max_rows
                )
            sections.append(stats)
            if not after:
                return merge_stats(sections), days_between(first, today)
            if monotonic() >= deadline:
                raise QueryTooExpensive(
                    field="owner_id",
                    cause=f"counting took longer than {self.limits.max_stats_seconds:g} seconds",
                    remedy="Count the tasks of one owner",
                )
