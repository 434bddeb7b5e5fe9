"""Tasks as the rows of a CSV file that an import reads."""

from collections.abc import Mapping
from uuid import UUID

from task_service.domain.task import Task


def csv_row(task: Task, usernames: Mapping[UUID, str]) -> tuple[str, ...]:
    """The cells of a task, in the order of `COLUMNS`. An assignee who has no name any more is left out."""
    return (
        task.title,
        task.description,
        task.status.value,
        task.priority.value,
        task.due_date.isoformat() if task.due_date else "",
        ",".join(task.labels),
        task.external_id,
        usernames.get(task.assignee_id, "") if task.assignee_id else "",
    )
