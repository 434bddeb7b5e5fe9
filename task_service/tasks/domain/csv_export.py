"""Tasks as the rows of a CSV file that an import reads."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from task_service.csv_dialect.text import csv_text
from task_service.imports.domain.upload_options import COLUMNS
from task_service.tasks.domain.task import Task, Values
from task_service.tasks.domain.values import Priority, Status


def csv_row(task: Task | Values, usernames: Mapping[UUID, str]) -> tuple[str, ...]:
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


# Nobody's username is known here, and an external id can be given only once.
_EXAMPLE = Values(
    title="Buy milk",
    description="Two bottles, the fresh kind",
    status=Status.PENDING,
    priority=Priority.HIGH,
    due_date=date(2030, 1, 31),
    labels=("home", "shopping"),
    external_id="",
    assignee_id=None,
)


def csv_template() -> str:
    """A file to begin with: the columns, and a row that shows how they are filled."""
    return csv_text([COLUMNS, csv_row(_EXAMPLE, {})])
