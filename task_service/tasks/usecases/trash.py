"""Into the trash, out of it, and gone for good."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from task_service.history.domain.events import SYSTEM_ACTOR, Actor
from task_service.idempotency.transaction import Changes, visible
from task_service.tasks.domain.errors import TaskNotFound, TaskNotInTrash
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_events import task_deleted, task_purged, task_restored
from task_service.tasks.usecases.ports import Once, UnitOfWork

AT_A_TIME = 500
"""Tasks that one transaction of the automatic purge removes, so that nobody waits long for its locks."""


@dataclass(frozen=True, slots=True)
class DeleteTask:
    changes: Changes
    kept_for: timedelta

    async def __call__(self, caller: Caller, task_id: UUID, etag: str = "", once: Once | None = None) -> Task:
        async def work(unit: UnitOfWork) -> tuple[Task, ...]:
            return (await self.apply(unit, caller, task_id, etag),)

        return (await self.changes.run(caller, once, work))[0]

    async def apply(self, unit: UnitOfWork, caller: Caller, task_id: UUID, etag: str) -> Task:
        before = visible(await unit.tasks.lock(task_id), caller)
        if before.deleted_at is not None:
            raise TaskNotFound
        before.expect(etag)
        after = before.deleted(self.changes.now(), kept_for=self.kept_for)
        await unit.tasks.update(after)
        await unit.events.record(task_deleted(after, by=Actor.of(caller), event_id=self.changes.new_id()))
        return after


@dataclass(frozen=True, slots=True)
class UndeleteTask:
    changes: Changes

    async def __call__(self, caller: Caller, task_id: UUID, etag: str = "", once: Once | None = None) -> Task:
        async def work(unit: UnitOfWork) -> tuple[Task, ...]:
            before = visible(await unit.tasks.lock(task_id), caller)
            after = before.restored(self.changes.now())
            before.expect(etag)
            await unit.tasks.update(after)
            event = task_restored(before, after, by=Actor.of(caller), event_id=self.changes.new_id())
            await unit.events.record(event)
            return (after,)

        return (await self.changes.run(caller, once, work))[0]


@dataclass(frozen=True, slots=True)
class PurgeTask:
    changes: Changes

    async def __call__(self, caller: Caller, task_id: UUID, once: Once | None = None) -> None:
        async def work(unit: UnitOfWork) -> tuple[Task, ...]:
            task = visible(await unit.tasks.lock(task_id), caller)
            if task.deleted_at is None:
                raise TaskNotInTrash
            await unit.tasks.remove(task_id)
            event = task_purged(task, by=Actor.of(caller), event_id=self.changes.new_id(), now=self.changes.now())
            await unit.events.record(event)
            return ()  # what is gone for good is not kept in an answer either

        await self.changes.run(caller, once, work)


@dataclass(frozen=True, slots=True)
class EmptyTrash:
    """Purges what has been in the trash for long enough, a little at a time, each with its entry in history."""

    begin: Callable[[], UnitOfWork]
    now: Clock
    new_id: NewId

    async def __call__(self) -> int:
        removed = 0
        while True:
            async with self.begin() as unit:
                due = await unit.tasks.due_for_purge(self.now(), AT_A_TIME)
                for task in due:
                    await unit.tasks.remove(task.id)
                    await unit.events.record(task_purged(task, by=SYSTEM_ACTOR, event_id=self.new_id(), now=self.now()))
                await unit.commit()
            removed += len(due)
            if len(due) < AT_A_TIME:
                return removed


@dataclass(frozen=True, slots=True)
class ForgetAnswers:
    """Removes answers that nobody may ask for again."""

    begin: Callable[[], UnitOfWork]
    now: Clock
    kept_for: timedelta

    async def __call__(self) -> int:
        async with self.begin() as unit:
            forgotten = await unit.answers.forget(self.now() - self.kept_for)
            await unit.commit()
        return forgotten
