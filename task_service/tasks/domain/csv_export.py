"""Tasks as rows of a CSV file that an import reads."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from task_service.csv_dialect.text import csv_text, join_labels
from task_service.tasks.domain.task import WRITABLE_FIELDS, Task, Values
from task_service.tasks.domain.values import Priority, Status

COLUMNS = (*(name for name in WRITABLE_FIELDS if name != "assignee_id"), "assignee")
"""Columns of exports and imports. Assignees are written as usernames."""


def csv_row(task: Task | Values, usernames: Mapping[UUID, str]) -> tuple[str, ...]:
    """Return the cells of a task in the order of COLUMNS. The cell of an assignee without a username is empty."""
    return (
        task.title,
        task.description,
        task.status.value,
        task.priority.value,
        task.due_date.isoformat() if task.due_date else "",
        join_labels(task.labels),
        task.external_id,
        usernames.get(task.assignee_id, "") if task.assignee_id else "",
    )


# Has no username, which may not exist here, and no external_id, which can be used only once.
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


def csv_template(delimiter: str) -> str:
    """Return a CSV file with the columns and one example row."""
    return csv_text([COLUMNS, csv_row(_EXAMPLE, {})], delimiter)
