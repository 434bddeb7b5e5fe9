"""Dispatcher that wakes workers. First publication, retry and recovery use the same mechanism."""

from collections.abc import Callable
from dataclasses import dataclass

from task_service.imports.usecases.ports import WorkerNotifier
from task_service.imports.usecases.unit_of_work import Begin


@dataclass(frozen=True, slots=True)
class NotifyWorkers:
    """Publish a wake-up for each waiting import that is due for one.

    The mark is committed before anything is published. A lost wake-up is published again when it is due. An outage of
    Redis never blocks the database or an upload. While imports are paused, the waiting ones say so and nobody is woken.
    """

    begin: Begin
    worker_notifier: WorkerNotifier
    max_running: int
    """Maximum running imports of one owner. A wake-up for one more would have no effect."""
    is_paused: Callable[[], bool]

    async def __call__(self) -> int:
        async with self.begin() as work:
            is_paused = self.is_paused()
            await work.import_queue.mark_paused(is_paused=is_paused)
            due = () if is_paused else await work.import_queue.mark_notified(self.max_running)
            await work.commit()
        if due:
            await self.worker_notifier.publish(due)
        return len(due)
