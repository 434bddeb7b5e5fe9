"""Tasks as rows of a CSV file that an import reads."""

from collections.abc import Mapping

from task_service.csv_dialect.text import csv_text, join_labels
from task_service.tasks.domain.listed_task import ListedTask
from task_service.tasks.domain.task import WRITABLE_FIELDS

COLUMNS = (*(name for name in WRITABLE_FIELDS if name != "assignee_id"), "assignee")
"""Columns of exports and imports. Assignees are written as usernames."""


def csv_row(task: ListedTask, usernames: Mapping[str, str]) -> tuple[str, ...]:
    """Return the cells of a task in the order of COLUMNS. The cell of an assignee without a username is empty."""
    return (
        task.title,
        task.description,
        task.status,
        task.priority,
        task.due_date,
        join_labels(task.labels),
        task.external_id,
        usernames.get(task.assignee_id, ""),
    )


# Has no username, which may not exist here, and no external_id, which can be used only once.
_EXAMPLE = ("Buy milk", "Two bottles, the fresh kind", "pending", "high", "2030-01-31", "home,shopping", "", "")


def csv_template(delimiter: str) -> str:
    """Return a CSV file with the columns and one example row."""
    return csv_text([COLUMNS, _EXAMPLE], delimiter)
