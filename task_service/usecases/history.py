"""Reading history."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from chassis.kernel import Caller, Page, PageRequest
from task_service.domain.history import TaskEvent
from task_service.usecases.changes import visible
from task_service.usecases.ports import Reading


@dataclass(frozen=True, slots=True)
class ListTaskEvents:
    read: Callable[[], Reading]

    async def __call__(self, caller: Caller, task_id: UUID, request: PageRequest) -> Page[TaskEvent]:
        async with self.read() as data:
            visible(await data.tasks.get(task_id), caller)
            return await data.history.of_task(task_id, request)
