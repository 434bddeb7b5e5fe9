"""Making, reading, changing and listing tasks."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.identity import Caller
from chassis.kernel.pagination import Page, PageRequest
from task_service.history.domain.events import Actor
from task_service.idempotency.transaction import Changes, visible
from task_service.tasks.domain.errors import UnknownAssignee
from task_service.tasks.domain.stats import Stats, days_from, first_day
from task_service.tasks.domain.task import Task, TaskDraft, new_task
from task_service.tasks.domain.task_events import task_created, task_updated
from task_service.tasks.domain.task_query import TaskQuery
from task_service.tasks.usecases.ports import Once, Reading, UnitOfWork, UserDirectory


@dataclass(frozen=True, slots=True)
class CreateTask:
    changes: Changes
    user_directory: UserDirectory

    async def __call__(self, caller: Caller, draft: TaskDraft, once: Once | None = None) -> Task:
        if (before := await self.changes.repeated(caller, once)) is not None:
            return before[0]
        task = await self.accepted(caller, draft)

        async def work(unit: UnitOfWork) -> tuple[Task, ...]:
            await self.keep(unit, caller, task)
            return (task,)

        return (await self.changes.run(caller, once, work))[0]

    async def accepted(self, caller: Caller, draft: TaskDraft) -> Task:
        """The task that the draft makes, or all that is wrong with it. Asks who the assignee is: no transaction yet."""
        values = draft.checked()
        owner_id = draft.owner_for(caller)
        await ensure_known(self.user_directory, values.assignee_id, caller)
        return new_task(values, task_id=self.changes.new_id(), owner_id=owner_id)

    async def keep(self, unit: UnitOfWork, caller: Caller, task: Task) -> None:
        await unit.tasks.add(task)
        await unit.events.record(task_created(task, by=Actor.of(caller), event_id=self.changes.new_id()))


@dataclass(frozen=True, slots=True)
class Update:
    """What is to be different about one task."""

    task_id: UUID
    draft: TaskDraft
    mask: Collection[str]
    etag: str


@dataclass(frozen=True, slots=True)
class UpdateTask:
    changes: Changes
    user_directory: UserDirectory

    async def __call__(self, caller: Caller, update: Update, once: Once | None = None) -> Task:
        if (before := await self.changes.repeated(caller, once)) is not None:
            return before[0]
        new = await self.accepted(caller, update)

        async def work(unit: UnitOfWork) -> tuple[Task, ...]:
            return (await self.apply(unit, caller, update, new),)

        return (await self.changes.run(caller, once, work))[0]

    async def accepted(self, caller: Caller, update: Update) -> dict[str, object]:
        """The new values, or all that is wrong with them. Asks who the assignee is: no transaction yet."""
        new = update.draft.changes(update.mask)
        await ensure_known(self.user_directory, new.get("assignee_id"), caller)
        return new

    async def apply(self, unit: UnitOfWork, caller: Caller, update: Update, new: dict[str, object]) -> Task:
        before = visible(await unit.tasks.lock(update.task_id), caller)
        before.expect(update.etag)
        after = before.changed(new, self.changes.now())
        if after is not before:
            await unit.tasks.update(after)
            event = task_updated(before, after, by=Actor.of(caller), event_id=self.changes.new_id())
            await unit.events.record(event)
        return after


@dataclass(frozen=True, slots=True)
class GetTask:
    read: Callable[[], Reading]

    async def __call__(self, caller: Caller, task_id: UUID) -> Task:
        async with self.read() as data:
            return visible(await data.tasks.get(task_id), caller)


class Listed(NamedTuple):
    """A page, and how many there are on all pages where that was asked."""

    page: Page[Task]
    total: int | None


@dataclass(frozen=True, slots=True)
class ListTasks:
    read: Callable[[], Reading]
    now: Clock

    async def __call__(self, query: TaskQuery, request: PageRequest, *, with_total: bool = False) -> Listed:
        today = self.now().date()
        async with self.read() as data:
            page = await data.tasks.page(query, request, today)
            return Listed(page, await data.tasks.count(query, today) if with_total else None)


@dataclass(frozen=True, slots=True)
class GetTaskStats:
    read: Callable[[], Reading]
    now: Clock

    async def __call__(self, query: TaskQuery, days: int) -> tuple[Stats, list[date]]:
        """The counts in a query's sight, and the days that completions are counted by. DaysOutOfRange."""
        today = self.now().date()
        first = first_day(days, today)
        async with self.read() as data:
            return await data.tasks.stats(query, first, today), days_from(first, today)


async def ensure_known(user_directory: UserDirectory, assignee_id: UUID | None, caller: Caller) -> None:
    """Returns for nobody, for the caller, who has just shown who they are, and for a user; else UnknownAssignee."""
    if assignee_id is None or (assignee_id == caller.id and not caller.is_service):
        return
    if not await user_directory.exists(assignee_id):
        raise UnknownAssignee
