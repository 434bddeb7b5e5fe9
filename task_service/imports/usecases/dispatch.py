"""Waking workers: first publish, retry and recovery in one mechanism."""

from collections.abc import Callable
from dataclasses import dataclass

from task_service.imports.usecases.ports import WakeUps
from task_service.tasks.usecases.ports import UnitOfWork


@dataclass(frozen=True, slots=True)
class WakeWorkers:
    """Publishes a wake-up for each import that waits and is due for one.

    What is marked is committed before anything is published: a wake-up that is lost is sent again when it is due, and
    Redis being away never holds up the database or an upload.
    """

    begin: Callable[[], UnitOfWork]
    wake_ups: WakeUps
    at_once: int
    """How many imports of one owner may run at a time: a further one would be woken in vain."""

    async def __call__(self) -> int:
        async with self.begin() as work:
            due = await work.import_queue.mark_woken(self.at_once)
            await work.commit()
        if due:
            await self.wake_ups.publish(due)
        return due
