"""Upserts of many tasks by external_id, in one transaction, all or none."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.kernel.clock import Clock
from chassis.kernel.cooperation import iterate_cooperatively
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from task_service.history.domain.events import Actor
from task_service.idempotency.key import IdempotencyKey
from task_service.tasks.domain.batches import ensure_unique
from task_service.tasks.domain.errors import ExternalIdTaken
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_events import task_updated
from task_service.tasks.domain.task_upsert import TaskUpsert, UpsertDraft, UpsertKey, UpsertOutcome, UpsertResult
from task_service.tasks.usecases.batches import create_tasks, handle_each
from task_service.tasks.usecases.ports import TasksReadSession, TasksUnitOfWork, UpsertTransactions, UserDirectory
from task_service.tasks.usecases.task_changes import ensure_all_visible, ensure_assignee_exists

MAX_ATTEMPTS = 3
"""A retry finds the task that took an external_id after the lookup. Another failure needs a deletion as well."""


@dataclass(frozen=True, slots=True)
class BatchUpsertTasks:
    """Create or change up to 100 tasks. The owner and the external_id identify a task; deleted tasks do not count."""

    transactions: UpsertTransactions
    user_directory: UserDirectory
    now: Clock
    new_id: NewId

    async def __call__(
        self, caller: Caller, drafts: Sequence[UpsertDraft], key: IdempotencyKey | None
    ) -> tuple[UpsertResult, ...]:
        for _ in range(MAX_ATTEMPTS - 1):
            try:
                return await self._upsert(caller, drafts, key)
            except ExternalIdTaken:
                # CreateTask, UpdateTask and UndeleteTask do not wait for the lock of the external_ids.
                continue
        return await self._upsert(caller, drafts, key)

    async def _upsert(
        self, caller: Caller, drafts: Sequence[UpsertDraft], key: IdempotencyKey | None
    ) -> tuple[UpsertResult, ...]:
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                upserts = await handle_each(drafts, lambda draft: self._accept(caller, draft))
                keys = [upsert.key for upsert in upserts]
                ensure_unique(keys, name="external_id", field="requests[{index}].external_id")
                work = await transaction.begin()
                existing = await _lock_existing_tasks(work, upserts)
                results = await self._write(work, Actor.from_caller(caller), upserts, existing)
                await transaction.commit(results)
        return transaction.response

    async def _accept(self, caller: Caller, draft: UpsertDraft) -> TaskUpsert:
        """Return the validated upsert. It may wait for auth_service."""
        upsert = draft.validate(caller)
        await ensure_assignee_exists(self.user_directory, upsert.assignee_id, caller)
        return upsert

    async def _write(
        self,
        work: TasksUnitOfWork,
        actor: Actor,
        upserts: Sequence[TaskUpsert],
        existing: Mapping[UpsertKey, Task],
    ) -> tuple[UpsertResult, ...]:
        now = self.now()

        async def apply(upsert: TaskUpsert) -> UpsertResult:
            return upsert.apply(existing.get(upsert.key), now=now, new_id=self.new_id)

        results = await handle_each(upserts, apply)
        created = {index: task for index, (outcome, task) in enumerate(results) if outcome is UpsertOutcome.CREATED}
        await create_tasks(work, created, actor=actor, new_id=self.new_id)
        updates = [
            (existing[upsert.key], task)
            for upsert, (outcome, task) in zip(upserts, results, strict=True)
            if outcome is UpsertOutcome.UPDATED
        ]
        if updates:
            await work.tasks.update_all([after for _, after in updates])
            await work.events.record_all(
                [
                    task_updated(before, after, by=actor, event_id=self.new_id())
                    async for before, after in iterate_cooperatively(updates)
                ]
            )
        return tuple(results)


async def _lock_existing_tasks(work: TasksUnitOfWork, upserts: Sequence[TaskUpsert]) -> Mapping[UpsertKey, Task]:
    """Return the live tasks of the upserts.

    First lock the external_ids of the owners, then the tasks of all owners in id order, as other batches and imports
    do. So two of them can't deadlock, and the second of two upserts finds the tasks that the first one creates.
    """
    external_ids = defaultdict(set)
    for owner_id, external_id in (upsert.key for upsert in upserts):
        external_ids[owner_id].add(external_id)
    await work.tasks.lock_external_ids(external_ids.keys())
    found = [
        task.id
        for owner_id, ids in external_ids.items()
        for task in await work.tasks.find_by_external_ids(owner_id, ids, lock=False)
    ]
    # A task may change between the two statements, so its key counts after the lock.
    locked = await work.tasks.lock_all(found) if found else ()
    return {UpsertKey(task.owner_id, task.external_id): task for task in locked if task.deleted_at is None}


async def ensure_results_visible(session: TasksReadSession, caller: Caller, results: Sequence[UpsertResult]) -> None:
    """Raise TaskNotFound if the caller may no longer see the task of a stored result."""
    await ensure_all_visible(session, caller, [result.task for result in results])
