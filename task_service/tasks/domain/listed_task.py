"""Task in a list."""

from typing import NamedTuple
from uuid import UUID

from task_service.tasks.domain.task import Task


class ListedTask(NamedTuple):
    """Task in a list, with the text of its sort key; the text is empty in the order of created_at."""

    task: Task
    sort_key: str

    @property
    def page_key(self) -> bytes:
        """Key after which the next page continues."""
        return page_key(self.task.id, self.sort_key)


def page_key(task_id: UUID, sort_key: str) -> bytes:
    return task_id.bytes + sort_key.encode()
