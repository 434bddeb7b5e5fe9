"""Access to the history of one task."""

from dataclasses import dataclass
from uuid import UUID

from chassis.kernel.identity import Caller
from chassis.kernel.pagination import Page, PageRequest
from task_service.history.domain.events import TaskEvent
from task_service.tasks.usecases.ports import Read
from task_service.tasks.usecases.task_changes import ensure_visible


@dataclass(frozen=True, slots=True)
class ListTaskEvents:
    """List the events of a task that the caller may see, oldest first. Raises TaskNotFound."""

    read: Read

    async def __call__(self, caller: Caller, task_id: UUID, request: PageRequest) -> Page[TaskEvent]:
        async with self.read() as session:
            ensure_visible(await session.tasks.get(task_id), caller)
            return await session.events.list_for_task(task_id, request)
