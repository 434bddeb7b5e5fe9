"""Many changes in one transaction: all of them or none, and whatever is wrong names its place in the batch."""

from collections import Counter
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from chassis.kernel.identity import Caller
from chassis.kernel.errors import DomainError
from chassis.kernel.errors import Invalid
from chassis.kernel.errors import raise_all
from task_service.idempotency.transaction import Changes
from task_service.tasks.domain.errors import DuplicateInBatch, EmptyBatch, TooManyInBatch
from task_service.tasks.domain.task import Task, TaskDraft
from task_service.tasks.usecases.ports import Once, UnitOfWork
from task_service.tasks.usecases.tasks import CreateTask, Update, UpdateTask
from task_service.tasks.usecases.trash import DeleteTask

MOST_IN_BATCH = 100


@dataclass(frozen=True, slots=True)
class Deletion:
    """One task to be deleted."""

    task_id: UUID
    etag: str


@dataclass(frozen=True, slots=True)
class BatchCreateTasks:
    changes: Changes
    create_task: CreateTask

    async def __call__(self, caller: Caller, drafts: Sequence[TaskDraft], once: Once | None) -> tuple[Task, ...]:
        if (before := await self.changes.repeated(caller, once)) is not None:
            return before
        wrong = Wrong("task.")
        tasks: list[Task] = []
        for place, draft in enumerate(drafts):
            with wrong.at(place):
                tasks.append(await self.create_task.accepted(caller, draft))
        wrong.settle()

        async def work(unit: UnitOfWork) -> tuple[Task, ...]:
            await unit.tasks.take_turns({task.owner_id for task in tasks if task.external_id})
            for place, task in enumerate(tasks):
                with placed(place, "task."):
                    await self.create_task.keep(unit, caller, task)
            return tuple(tasks)

        return await self.changes.run(caller, once, work)


@dataclass(frozen=True, slots=True)
class BatchUpdateTasks:
    changes: Changes
    update_task: UpdateTask

    async def __call__(self, caller: Caller, updates: Sequence[Update], once: Once | None) -> tuple[Task, ...]:
        if (before := await self.changes.repeated(caller, once)) is not None:
            return before
        check_ids([update.task_id for update in updates])
        wrong = Wrong("task.")
        values = []
        for place, update in enumerate(updates):
            with wrong.at(place):
                values.append(await self.update_task.accepted(caller, update))
        wrong.settle()

        async def work(unit: UnitOfWork) -> tuple[Task, ...]:
            await _take_turns(
                unit, [update.task_id for update, new in zip(updates, values, strict=True) if "external_id" in new]
            )
            await lock_in_order(unit, [update.task_id for update in updates])
            done = []
            for place, (update, new) in enumerate(zip(updates, values, strict=True)):
                with placed(place, "task."):
                    done.append(await self.update_task.apply(unit, caller, update, new))
            return tuple(done)

        return await self.changes.run(caller, once, work)


@dataclass(frozen=True, slots=True)
class BatchDeleteTasks:
    changes: Changes
    delete_task: DeleteTask

    async def __call__(self, caller: Caller, deletions: Sequence[Deletion], once: Once | None) -> tuple[Task, ...]:
        check_ids([deletion.task_id for deletion in deletions])

        async def work(unit: UnitOfWork) -> tuple[Task, ...]:
            await lock_in_order(unit, [deletion.task_id for deletion in deletions])
            done = []
            for place, deletion in enumerate(deletions):
                with placed(place):
                    done.append(await self.delete_task.apply(unit, caller, deletion.task_id, deletion.etag))
            return tuple(done)

        return await self.changes.run(caller, once, work)


class Wrong:
    """Collects what is wrong at each place of a batch, so that everything is told at once."""

    def __init__(self, inside: str) -> None:
        self._inside = inside
        self._found: list[Invalid] = []

    @contextmanager
    def at(self, place: int) -> Iterator[None]:
        """Notes what is wrong inside; an error that is not about values goes on its way, its place named."""
        with placed(place, self._inside):
            try:
                yield
            except Invalid as error:
                for violation in error.violations:
                    _place(violation, place, self._inside)
                self._found.extend(error.violations)

    def settle(self) -> None:
        """Raises what was noted."""
        raise_all(self._found)


@contextmanager
def placed(place: int, inside: str = "") -> Iterator[None]:
    """Names the place of whatever is raised inside."""
    try:
        yield
    except Invalid as error:
        for violation in error.violations:
            _place(violation, place, inside)
        raise
    except DomainError as error:
        _place(error, place, inside if error.field != "etag" else "")
        raise


def check_size(batch: Sized) -> None:
    """Returns for 1 to 100; EmptyBatch, TooManyInBatch. To be asked before anything is done to each of them."""
    if not len(batch):
        raise EmptyBatch
    if len(batch) > MOST_IN_BATCH:
        raise TooManyInBatch(limit=MOST_IN_BATCH, count=len(batch))


def check_ids(ids: Sequence[UUID]) -> None:
    """Returns where every task comes once: what two changes of one task in one moment mean, nobody can say."""
    times = Counter(ids)
    wrong = [DuplicateInBatch(field=f"requests[{place}].id") for place, task_id in enumerate(ids) if times[task_id] > 1]
    raise_all(wrong)


async def lock_in_order(unit: UnitOfWork, ids: Sequence[UUID]) -> None:
    """Locks the tasks in the same order as every other batch does, so that two batches never wait for one another."""
    for task_id in sorted(ids):
        await unit.tasks.lock(task_id)


async def _take_turns(unit: UnitOfWork, ids: Sequence[UUID]) -> None:
    """Takes turns with whoever else takes several external_ids of the owners of these tasks."""
    found = [await unit.tasks.get(task_id) for task_id in ids]
    await unit.tasks.take_turns({task.owner_id for task in found if task})


def _place(error: DomainError, place: int, inside: str) -> None:
    error.field = f"requests[{place}].{inside}{error.field}" if error.field else f"requests[{place}]"
