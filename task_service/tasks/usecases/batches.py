"""Batches: many tasks in one call, all or none. Changes are one transaction.

Errors name the field with the index of its request, such as requests[3].task.title or ids[3].
"""

from collections import Counter
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.errors import DomainError, Invalid, raise_all
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from task_service.history.domain.events import Actor
from task_service.idempotency.key import IdempotencyKey
from task_service.tasks.domain.errors import DuplicateInBatch, EmptyBatch, TaskNotFound, TooManyInBatch
from task_service.tasks.domain.task import Task, TaskDraft
from task_service.tasks.usecases.ports import Read, TasksUnitOfWork, TaskTransactions, UserDirectory
from task_service.tasks.usecases.task_changes import create_task, delete_task, update_task
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
                for index, draft in enumerate(drafts):
                    with errors.collect(index):
                        tasks.append(await accept_draft(self.user_directory, caller, draft, self.new_id))
                errors.raise_collected()
                work = await transaction.begin()
                await work.tasks.lock_external_ids({task.owner_id for task in tasks if task.external_id})
                for index, task in enumerate(tasks):
                    with with_index(index, "task."):
                        await create_task(work, task, actor=Actor.from_caller(caller), new_id=self.new_id)
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
                for index, update in enumerate(updates):
                    with errors.collect(index):
                        values.append(await accept_update(self.user_directory, caller, update))
                errors.raise_collected()
                work = await transaction.begin()
                await _lock_external_ids(
                    work, [update.task_id for update, new in zip(updates, values, strict=True) if "external_id" in new]
                )
                await lock_in_order(work, [update.task_id for update in updates])
                tasks = []
                for index, (update, new) in enumerate(zip(updates, values, strict=True)):
                    with with_index(index, "task."):
                        tasks.append(
                            await update_task(
                                work,
                                update.task_id,
                                new,
                                etag=update.etag,
                                caller=caller,
                                now=self.now(),
                                new_id=self.new_id,
                            )
                        )
                await transaction.commit(tuple(tasks))
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
                await lock_in_order(work, [deletion.task_id for deletion in deletions])
                tasks = []
                for index, deletion in enumerate(deletions):
                    with with_index(index):
                        tasks.append(
                            await delete_task(
                                work,
                                deletion.task_id,
                                etag=deletion.etag,
                                caller=caller,
                                now=self.now(),
                                retention=self.retention,
                                new_id=self.new_id,
                            )
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


async def lock_in_order(work: TasksUnitOfWork, ids: Sequence[UUID]) -> None:
    """Lock the tasks in id order. Every batch uses the same order, so two batches can't deadlock."""
    for task_id in sorted(ids):
        await work.tasks.lock(task_id)


async def _lock_external_ids(work: TasksUnitOfWork, ids: Sequence[UUID]) -> None:
    """Lock the external_ids of the owners of these tasks."""
    tasks = [await work.tasks.get(task_id) for task_id in ids]
    await work.tasks.lock_external_ids({task.owner_id for task in tasks if task})


def _add_index(error: DomainError, index: int, prefix: str) -> None:
    error.field = f"requests[{index}].{prefix}{error.field}" if error.field else f"requests[{index}]"
