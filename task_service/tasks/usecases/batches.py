"""Batches: many tasks in one call, all or none. Changes are one transaction."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.cooperation import iterate_cooperatively
from chassis.kernel.errors import Invalid, collect_errors, raise_all
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from task_service.history.domain.events import Actor
from task_service.idempotency.key import IdempotencyKey
from task_service.tasks.domain.batches import ensure_unique, with_index
from task_service.tasks.domain.errors import ExternalIdTaken, TaskNotFound
from task_service.tasks.domain.task import Task, TaskDraft
from task_service.tasks.domain.task_events import task_created, task_deleted, task_updated
from task_service.tasks.usecases.ports import Read, TasksUnitOfWork, TaskTransactions, UserDirectory
from task_service.tasks.usecases.task_changes import apply_deletion, apply_update
from task_service.tasks.usecases.tasks import TaskUpdate, accept_draft, accept_update

Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class TaskDeletion:
    """Requested deletion of one task."""

    task_id: UUID
    etag: str


@dataclass(frozen=True, slots=True)
class BatchGetTasks:
    """Get up to 100 tasks, live or deleted, in the order of their ids in the request."""

    read: Read

    async def __call__(self, caller: Caller, task_ids: Sequence[UUID]) -> list[Task]:
        """Return the tasks. Raises DuplicateInBatch, or TaskNotFound for the first id without a visible task."""
        ensure_unique(task_ids, field="ids[{index}]")
        async with self.read() as session:
            found = {task.id: task for task in await session.tasks.get_all(task_ids) if task.is_visible_to(caller)}
        for index, task_id in enumerate(task_ids):
            if task_id not in found:
                raise TaskNotFound(field=f"ids[{index}]")
        return [found[task_id] for task_id in task_ids]


@dataclass(frozen=True, slots=True)
class BatchCreateTasks:
    """Create up to 100 tasks."""

    transactions: TaskTransactions
    user_directory: UserDirectory
    new_id: NewId

    async def __call__(
        self, caller: Caller, drafts: Sequence[TaskDraft], key: IdempotencyKey | None
    ) -> tuple[Task, ...]:
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                tasks = await handle_each(
                    drafts, lambda draft: accept_draft(self.user_directory, caller, draft, self.new_id)
                )
                work = await transaction.begin()
                await work.tasks.lock_external_ids({task.owner_id for task in tasks if task.external_id})
                await create_tasks(work, dict(enumerate(tasks)), actor=Actor.from_caller(caller), new_id=self.new_id)
                await transaction.commit(tuple(tasks))
        return transaction.response


@dataclass(frozen=True, slots=True)
class BatchUpdateTasks:
    """Change up to 100 tasks."""

    transactions: TaskTransactions
    user_directory: UserDirectory
    now: Clock
    new_id: NewId

    async def __call__(
        self, caller: Caller, updates: Sequence[TaskUpdate], key: IdempotencyKey | None
    ) -> tuple[Task, ...]:
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                ensure_unique([update.task_id for update in updates])
                values = await handle_each(updates, lambda update: accept_update(self.user_directory, caller, update))
                work = await transaction.begin()
                changes = await self._lock_and_apply(work, caller, list(zip(updates, values, strict=True)))
                await self._write(work, Actor.from_caller(caller), changes)
                await transaction.commit(tuple(after for _, after in changes))
        return transaction.response

    async def _lock_and_apply(
        self, work: TasksUnitOfWork, caller: Caller, accepted: Sequence[tuple[TaskUpdate, Mapping[str, object]]]
    ) -> list[tuple[Task, Task]]:
        """Return the locked tasks before and after their updates, each of which comes with its new values."""
        await _lock_external_ids(work, [update.task_id for update, values in accepted if "external_id" in values])
        locked = await _lock_all(work, [update.task_id for update, _ in accepted])
        changes: list[tuple[Task, Task]] = []
        async for index, (update, values) in iterate_cooperatively(enumerate(accepted)):
            with with_index(index):
                task = locked.get(update.task_id)
                changes.append(apply_update(task, values, etag=update.etag, caller=caller, now=self.now()))
        return changes

    async def _write(self, work: TasksUnitOfWork, actor: Actor, changes: Sequence[tuple[Task, Task]]) -> None:
        """Write the tasks that have changed, and record the events.

        Tasks with a new external_id are written one by one: it may be taken.
        """
        for index, (before, after) in enumerate(changes):
            if after.external_id != before.external_id:
                with with_index(index):
                    await work.tasks.update(after)
        others = [after for before, after in changes if after is not before and after.external_id == before.external_id]
        if others:
            await work.tasks.update_all(others)
        await work.events.record_all(
            [
                task_updated(before, after, by=actor, event_id=self.new_id())
                async for before, after in iterate_cooperatively(changes)
                if after is not before
            ]
        )


@dataclass(frozen=True, slots=True)
class BatchDeleteTasks:
    """Soft-delete up to 100 tasks."""

    transactions: TaskTransactions
    now: Clock
    new_id: NewId
    retention: timedelta

    async def __call__(
        self, caller: Caller, deletions: Sequence[TaskDeletion], key: IdempotencyKey | None
    ) -> tuple[Task, ...]:
        ensure_unique([deletion.task_id for deletion in deletions])
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                work = await transaction.begin()
                locked = await _lock_all(work, [deletion.task_id for deletion in deletions])
                tasks = []
                async for index, deletion in iterate_cooperatively(enumerate(deletions)):
                    with with_index(index):
                        task = locked.get(deletion.task_id)
                        deleted = apply_deletion(
                            task, etag=deletion.etag, caller=caller, now=self.now(), retention=self.retention
                        )
                        tasks.append(deleted)
                await work.tasks.update_all(tasks)
                await work.events.record_all(
                    [
                        task_deleted(task, by=Actor.from_caller(caller), event_id=self.new_id())
                        async for task in iterate_cooperatively(tasks)
                    ]
                )
                await transaction.commit(tuple(tasks))
        return transaction.response


async def handle_each(requests: Sequence[Request], handle: Callable[[Request], Awaitable[Result]]) -> list[Result]:
    """Return the result of `handle` for each request of a batch. Raises the errors of all, with their indexes."""
    errors: list[Invalid] = []
    results: list[Result] = []
    async for index, request in iterate_cooperatively(enumerate(requests)):
        with collect_errors(errors), with_index(index):
            results.append(await handle(request))
    raise_all(errors)
    return results


async def create_tasks(work: TasksUnitOfWork, tasks: Mapping[int, Task], *, actor: Actor, new_id: NewId) -> None:
    """Insert tasks, by the index of their request, and record their events. Raises ExternalIdTaken for the first."""
    if not tasks:
        return
    taken = {task.id for task in await work.tasks.add_all([*tasks.values()])}
    for index, task in tasks.items():
        if task.id in taken:
            with with_index(index):
                raise ExternalIdTaken
    events = [task_created(task, by=actor, event_id=new_id()) async for task in iterate_cooperatively(tasks.values())]
    await work.events.record_all(events)


async def _lock_all(work: TasksUnitOfWork, ids: Sequence[UUID]) -> Mapping[UUID, Task]:
    """Return the existing tasks by id, locked in id order. All batches have the same order, so two can't deadlock."""
    return {task.id: task for task in await work.tasks.lock_all(ids)}


async def _lock_external_ids(work: TasksUnitOfWork, ids: Sequence[UUID]) -> None:
    """Lock the external_ids of the owners of these tasks."""
    if ids:
        await work.tasks.lock_external_ids({task.owner_id for task in await work.tasks.get_all(ids)})
