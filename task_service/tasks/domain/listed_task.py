"""Read model of a task in lists and exports."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID


class ListedTask(NamedTuple):
    """Task in a list, with values as responses and CSV files show them. No rule needs it: writes read a Task.

    Ids and dates are text, empty if absent; times are microseconds since the epoch. The database converts them: UUIDs,
    dates and times of fifty tasks, which become text and numbers again at once, cost a seventh of the call's CPU.
    """

    id: str
    owner_id: str
    title: str
    description: str
    status: str
    priority: str
    due_date: str
    labels: Sequence[str]
    external_id: str
    assignee_id: str
    import_id: str
    created_at: int
    updated_at: int
    completed_at: int | None
    deleted_at: int | None
    purge_at: int | None
    etag: str
    sort_key: str
    """Text of the key by which the list is sorted; empty in the order of created_at."""

    @property
    def page_key(self) -> bytes:
        """Key after which the next page continues."""
        return page_key(UUID(self.id), self.sort_key)


def page_key(task_id: UUID, sort_key: str) -> bytes:
    return task_id.bytes + sort_key.encode()
