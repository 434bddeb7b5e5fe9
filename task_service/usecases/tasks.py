"""Making, reading, listing and deleting tasks."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from chassis.kernel import Caller, Clock, NewId, Page, PageRequest
from task_service.domain.errors import TaskNotFound
from task_service.domain.history import Actor, created, deleted
from task_service.domain.task import Task, TaskDraft, new_task
from task_service.usecases.ports import Reading, TaskQuery, UnitOfWork


@dataclass(frozen=True, slots=True)
class CreateTask:
    begin: Callable[[], UnitOfWork]
    now: Clock
    new_id: NewId

    async def __call__(self, caller: Caller, draft: TaskDraft) -> Task:
        owner_id = draft.owner_for(caller)
        task = new_task(draft.checked(), task_id=self.new_id(), owner_id=owner_id, now=self.now())
        async with self.begin() as work:
            await work.tasks.add(task)
            await work.history.record(created(task, by=Actor.of(caller), event_id=self.new_id()))
            await work.commit()
        return task


@dataclass(frozen=True, slots=True)
class GetTask:
    read: Callable[[], Reading]

    async def __call__(self, caller: Caller, task_id: UUID) -> Task:
        async with self.read() as data:
            return visible(await data.tasks.get(task_id), caller)


@dataclass(frozen=True, slots=True)
class ListTasks:
    read: Callable[[], Reading]

    async def __call__(self, query: TaskQuery, request: PageRequest) -> Page[Task]:
        async with self.read() as data:
            return await data.tasks.page(query, request)


@dataclass(frozen=True, slots=True)
class DeleteTask:
    begin: Callable[[], UnitOfWork]
    now: Clock
    new_id: NewId

    async def __call__(self, caller: Caller, task_id: UUID) -> Task:
        async with self.begin() as work:
            before = visible(await work.tasks.lock(task_id), caller)
            if before.deleted_at is not None:
                raise TaskNotFound
            after = before.deleted(self.now())
            await work.tasks.update(after)
            await work.history.record(deleted(after, by=Actor.of(caller), event_id=self.new_id()))
            await work.commit()
        return after


def visible(task: Task | None, caller: Caller) -> Task:
    """The task, if there is one that the caller may see; else TaskNotFound, the same for both."""
    if task is None or not task.is_visible_to(caller):
        raise TaskNotFound
    return task
