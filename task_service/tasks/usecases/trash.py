"""Deletion, undeletion and purge of tasks."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from task_service.history.domain.events import SYSTEM_ACTOR, Actor
from task_service.idempotency.key import IdempotencyKey
from task_service.tasks.domain.errors import TaskNotInTrash
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_events import task_deleted, task_purged, task_restored
from task_service.tasks.usecases.ports import Begin, TaskTransactions
from task_service.tasks.usecases.task_changes import apply_deletion, ensure_visible

PURGE_BATCH_SIZE = 500
"""Maximum number of tasks that one transaction purges. It bounds the time for which others wait for its locks."""


@dataclass(frozen=True, slots=True)
class DeleteTask:
    """Soft-delete a task. It can be undeleted during the retention."""

    transactions: TaskTransactions
    now: Clock
    new_id: NewId
    retention: timedelta

    async def __call__(self, caller: Caller, task_id: UUID, etag: str = "", key: IdempotencyKey | None = None) -> Task:
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                work = await transaction.begin()
                task = await work.tasks.lock(task_id)
                deleted = apply_deletion(task, etag=etag, caller=caller, now=self.now(), retention=self.retention)
                await work.tasks.update(deleted)
                event = task_deleted(deleted, by=Actor.from_caller(caller), event_id=self.new_id())
                await work.events.record(event)
                await transaction.commit((deleted,))
        return transaction.response[0]


@dataclass(frozen=True, slots=True)
class UndeleteTask:
    """Make a deleted task live again."""

    transactions: TaskTransactions
    now: Clock
    new_id: NewId

    async def __call__(self, caller: Caller, task_id: UUID, etag: str = "", key: IdempotencyKey | None = None) -> Task:
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                work = await transaction.begin()
                before = ensure_visible(await work.tasks.lock(task_id), caller)
                after = before.undeleted(self.now())
                before.check_etag(etag)
                await work.tasks.update(after)
                event = task_restored(before, after, by=Actor.from_caller(caller), event_id=self.new_id())
                await work.events.record(event)
                await transaction.commit((after,))
        return transaction.response[0]


@dataclass(frozen=True, slots=True)
class PurgeTask:
    """Remove a deleted task permanently. The stored response has no task, because a purge must leave no copy."""

    transactions: TaskTransactions
    now: Clock
    new_id: NewId

    async def __call__(self, caller: Caller, task_id: UUID, key: IdempotencyKey | None = None) -> None:
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                work = await transaction.begin()
                task = ensure_visible(await work.tasks.lock(task_id), caller)
                if task.deleted_at is None:
                    raise TaskNotInTrash
                await work.tasks.remove_all([task_id])
                actor = Actor.from_caller(caller)
                await work.events.record(task_purged(task, by=actor, event_id=self.new_id(), now=self.now()))
                await transaction.commit(())


@dataclass(frozen=True, slots=True)
class EmptyTrash:
    """Purge the tasks whose retention has ended, in bounded transactions, each task with its event."""

    begin: Begin
    now: Clock
    new_id: NewId

    async def __call__(self) -> int:
        """Return the number of purged tasks."""
        purged = 0
        while True:
            async with self.begin() as work:
                expired = await work.tasks.lock_expired(self.now(), PURGE_BATCH_SIZE)
                await work.tasks.remove_all([task.id for task in expired])
                await work.events.record_all(
                    [task_purged(task, by=SYSTEM_ACTOR, event_id=self.new_id(), now=self.now()) for task in expired]
                )
                await work.commit()
            purged += len(expired)
            if len(expired) < PURGE_BATCH_SIZE:
                return purged
