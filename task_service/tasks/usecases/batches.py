"""Batches: many tasks in one call, all or none. Changes are one transaction.

Errors name the field with the index of its request, such as requests[3].task.title or ids[3].
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.cooperation import iterate_cooperatively
from chassis.kernel.errors import DomainError, Invalid, raise_all
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from task_service.history.domain.events import Actor
from task_service.idempotency.key import IdempotencyKey
from task_service.tasks.domain.errors import DuplicateInBatch, EmptyBatch, ExternalIdTaken, TaskNotFound, TooManyInBatch
from task_service.tasks.domain.task import Task, TaskDraft
from task_service.tasks.domain.task_events import task_created, task_deleted, task_updated
from task_service.tasks.usecases.ports import Read, TasksUnitOfWork, TaskTransactions, UserDirectory
from task_service.tasks.usecases.task_changes import apply_deletion, apply_update
from task_service.tasks.usecases.tasks import TaskUpdate, accept_draft, accept_update

MAX_BATCH_SIZE = 100


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
        ensure_unique_ids(task_ids, field="ids[{index}]")
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
                errors = ErrorCollector("task.")
                tasks: list[Task] = []
                async for index, draft in iterate_cooperatively(enumerate(drafts)):
                    with errors.collect(index):
                        tasks.append(await accept_draft(self.user_directory, caller, draft, self.new_id))
                errors.raise_collected()
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
                ensure_unique_ids([update.task_id for update in updates])
                errors = ErrorCollector("task.")
                values: list[dict[str, object]] = []
                async for index, update in iterate_cooperatively(enumerate(updates)):
                    with errors.collect(index):
                        values.append(await accept_update(self.user_directory, caller, update))
                errors.raise_collected()
                work = await transaction.begin()
                await _lock_external_ids(
                    work, [update.task_id for update, new in zip(updates, values, strict=True) if "external_id" in new]
                )
                locked = await _lock_all(work, [update.task_id for update in updates])
                changes = []
                async for index, (update, new) in iterate_cooperatively(enumerate(zip(updates, values, strict=True))):
                    with with_index(index, "task."):
                        task = locked.get(update.task_id)
                        changes.append(apply_update(task, new, etag=update.etag, caller=caller, now=self.now()))
                await _write_updates(work, changes)
                await work.events.record_all(
                    [
                        task_updated(before, after, by=Actor.from_caller(caller), event_id=self.new_id())
                        async for before, after in iterate_cooperatively(changes)
                        if after is not before
                    ]
                )
                await transaction.commit(tuple(after for _, after in changes))
        return transaction.response


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
        ensure_unique_ids([deletion.task_id for deletion in deletions])
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                work = await transaction.begin()
                locked = await _lock_all(work, [deletion.task_id for deletion in deletions])
                tasks = []
                async for index, deletion in iterate_cooperatively(enumerate(deletions)):
                    with with_index(index):
                        _, deleted = apply_deletion(
                            locked.get(deletion.task_id),
                            etag=deletion.etag,
                            caller=caller,
                            now=self.now(),
                            retention=self.retention,
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


class ErrorCollector:
    """Collector of the validation errors of a batch. The client gets all of them in one response."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._errors: list[Invalid] = []

    @contextmanager
    def collect(self, index: int) -> Iterator[None]:
        """Collect a validation error of the request at this index. Other errors propagate with the index."""
        with with_index(index, self._prefix):
            try:
                yield
            except Invalid as error:
                for violation in error.violations:
                    _add_index(violation, index, self._prefix)
                self._errors.extend(error.violations)

    def raise_collected(self) -> None:
        """Raise the collected errors, if any."""
        raise_all(self._errors)


@contextmanager
def with_index(index: int, prefix: str = "") -> Iterator[None]:
    """Add the index of the request to the field of every error that is raised inside."""
    try:
        yield
    except Invalid as error:
        for violation in error.violations:
            _add_index(violation, index, prefix)
        raise
    except DomainError as error:
        _add_index(error, index, prefix if error.field != "etag" else "")
        raise


def ensure_batch_size(batch: Sized, *, field: str = "requests") -> None:
    """Raise EmptyBatch or TooManyInBatch unless the batch has 1 to 100 requests. Call it before any other work."""
    if not len(batch):
        raise EmptyBatch(field=field)
    if len(batch) > MAX_BATCH_SIZE:
        raise TooManyInBatch(field=field, limit=MAX_BATCH_SIZE, count=len(batch))


def ensure_unique_ids(ids: Sequence[UUID], *, field: str = "requests[{index}].id") -> None:
    """Raise DuplicateInBatch for an id that occurs twice, because the order of its changes would be undefined."""
    counts = Counter(ids)
    raise_all(
        [
            DuplicateInBatch(field=field.format(index=index), name="id")
            for index, task_id in enumerate(ids)
            if counts[task_id] > 1
        ]
    )


async def create_tasks(work: TasksUnitOfWork, tasks: Mapping[int, Task], *, actor: Actor, new_id: NewId) -> None:
    """Insert tasks, by the index of their request, and record their events. Raises ExternalIdTaken for the first."""
    if not tasks:
        return
    taken = {task.id for task in await work.tasks.add_all([*tasks.values()])}
    for index, task in tasks.items():
        if task.id in taken:
            with with_index(index, "task."):
                raise ExternalIdTaken
    events = [task_created(task, by=actor, event_id=new_id()) async for task in iterate_cooperatively(tasks.values())]
    await work.events.record_all(events)


async def _write_updates(work: TasksUnitOfWork, changes: Sequence[tuple[Task, Task]]) -> None:
    """Write the tasks that have changed. Those with a new external_id are written one by one: it may be taken."""
    for index, (before, after) in enumerate(changes):
        if after.external_id != before.external_id:
            with with_index(index, "task."):
                await work.tasks.update(after)
    others = [after for before, after in changes if after is not before and after.external_id == before.external_id]
    if others:
        await work.tasks.update_all(others)


async def _lock_all(work: TasksUnitOfWork, ids: Sequence[UUID]) -> Mapping[UUID, Task]:
    """Return the existing tasks by id, locked in id order. All batches have the same order, so two can't deadlock."""
    return {task.id: task for task in await work.tasks.lock_all(ids)}


async def _lock_external_ids(work: TasksUnitOfWork, ids: Sequence[UUID]) -> None:
    """Lock the external_ids of the owners of these tasks."""
    if ids:
        await work.tasks.lock_external_ids({task.owner_id for task in await work.tasks.get_all(ids)})


def _add_index(error: DomainError, index: int, prefix: str) -> None:
    error.field = f"requests[{index}].{prefix}{error.field}" if error.field else f"requests[{index}]"
