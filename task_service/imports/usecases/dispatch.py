"""Waking workers: first publish, retry and recovery in one mechanism."""

from dataclasses import dataclass

from task_service.imports.usecases.ports import WorkerNotifier
from task_service.imports.usecases.sessions import Begin


@dataclass(frozen=True, slots=True)
class NotifyWorkers:
    """Publishes a wake-up for each import that waits and is due for one.

    What is marked is committed before anything is published: a wake-up that is lost is sent again when it is due, and
    Redis being away never holds up the database or an upload.
    """

    begin: Begin
    worker_notifier: WorkerNotifier
    max_running: int
    """How many imports of one owner may run at a time: a further one would be woken in vain."""

    async def __call__(self) -> int:
        async with self.begin() as work:
            due = await work.import_queue.mark_notified(self.max_running)
            await work.commit()
        if due:
            await self.worker_notifier.publish(due)
        return due
