"""One transaction around a change, and one effect for one idempotency key."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from chassis.kernel.identity import Caller
from chassis.kernel.clock import Clock
from chassis.kernel.ids import NewId
from task_service.tasks.domain.errors import TaskNotFound
from task_service.tasks.domain.task import Task
from task_service.tasks.usecases.ports import Answer, Once, Reading, UnitOfWork

KEPT_FOR = timedelta(hours=24)
"""How long the same key is answered as the first time."""

Work = Callable[[UnitOfWork], Awaitable[tuple[Task, ...]]]
"""What is done inside, and the tasks that are answered."""


@dataclass(frozen=True, slots=True)
class OneEffect:
    """Runs what must happen once under one key, however often and by however many it is asked for."""

    begin: Callable[[], UnitOfWork]
    read: Callable[[], Reading]
    now: Clock

    async def has_key(self, caller: Caller, once: Once) -> bool:
        """Whether the key was used, for whatever."""
        async with self.read() as data:
            return await data.answers.has(caller.id, once.key, self.now(), KEPT_FOR)

    async def earlier(self, caller: Caller, once: Once | None) -> Answer | None:
        """The first answer, when this is not the first time.

        Raises:
            IdempotencyKeyReused: the key came with another request.

        """
        if once is None:
            return None
        async with self.read() as data:
            return await data.answers.find(caller.id, once, self.now(), KEPT_FOR)

    async def once(self, caller: Caller, once: Once | None, work: Callable[[UnitOfWork], Awaitable[Answer]]) -> Answer:
        """Does the work and commits it with its answer; or, for a twin of what was done meanwhile, answers the same.

        What fails leaves nothing behind, the key neither: it may be tried again.
        """
        async with self.begin() as unit:
            if once is not None and not await unit.answers.claim(caller.id, once, self.now(), KEPT_FOR):
                return await unit.answers.find(caller.id, once, self.now(), KEPT_FOR) or Answer()
            answer = await work(unit)
            if once is not None:
                await unit.answers.keep(caller.id, once, answer)
            await unit.commit()
        return answer


@dataclass(frozen=True, slots=True)
class Changes(OneEffect):
    """Runs changes of tasks. What every one of them needs comes with it: the time, new ids, the transaction."""

    new_id: NewId

    async def repeated(self, caller: Caller, once: Once | None) -> tuple[Task, ...] | None:
        """The first answer, when this is not the first time. Asked before anything else is looked at.

        Raises:
            IdempotencyKeyReused: the key came with another request.

        """
        answer = await self.earlier(caller, once)
        return answer.tasks if answer else None

    async def run(self, caller: Caller, once: Once | None, work: Work) -> tuple[Task, ...]:
        """Does the work once, and answers its tasks."""

        async def answered(unit: UnitOfWork) -> Answer:
            return Answer(tasks=await work(unit))

        return (await self.once(caller, once, answered)).tasks


def visible(task: Task | None, caller: Caller) -> Task:
    """The task, if there is one that the caller may see; else TaskNotFound, the same for both."""
    if task is None or not task.is_visible_to(caller):
        raise TaskNotFound
    return task
