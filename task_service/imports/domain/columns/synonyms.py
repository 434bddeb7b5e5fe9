"""Names of columns in files of other tools, by the field that they fill.

A name is not in the table if it could mean two things, or if rows of the tool that uses it are not all tasks.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from task_service.imports.domain.values.synonyms import (
    MAX_WORD_CHARACTERS,
    PERCENTAGE_COLUMNS,
    TRUTH_COLUMNS,
    column_key,
)

COLUMN_SYNONYMS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "title": (
            *("Title", "Task Name", "Task Title", "Task", "Subject", "Name", "Summary", "Issue Title"),
            *("Card Name", "Card Title", "Action Item"),
        ),
        "description": (
            "Description",
            "Task Description",
            "Notes",
            "Note",
            "Details",
            "Body",
            "Task Content",
            "Content",
        ),
        "status": ("Status", "Task Status", "State", "Progress", *PERCENTAGE_COLUMNS),
        "priority": ("Priority", "Task Priority", "Importance"),
        "due_date": ("Due Date", "Due", "Due On", "Due By", "Deadline"),
        "labels": ("Labels", "Label", "Tags", "Tag", "Categories", "Category"),
        "external_id": ("External ID",),
        "assignee": (
            "Assignee Email",
            "Assignee",
            "Assignee Username",
            "Assignees",
            "Assigned To",
            "Assign",
            "Assign To",
            "Responsible",
            "Owner",
        ),
        "completed_at": (
            "Completed At",
            "Completed On",
            "Completed Date",
            "Completed Time",
            "Date Completed",
            "Completion Date",
        ),
        "done": TRUTH_COLUMNS,
        "resolution": ("Resolution", "State Reason"),
    }
)
"""If a file has several names of one field, the first is used.

It is the product's own name, except for Assignee Email: beside that column, Assignee has people's full names.
"""


class Synonym(NamedTuple):
    """Meaning of a column name: the field, and the position of the name among those of the field."""

    field: str
    rank: int


_SYNONYMS = {
    column_key(name): Synonym(field, rank)
    for field, names in COLUMN_SYNONYMS.items()
    for rank, name in enumerate(names)
}


def find_column_synonym(name: str) -> Synonym | None:
    """Return the meaning of a column name; None if it has none."""
    return _SYNONYMS.get(column_key(name)) if len(name) <= MAX_WORD_CHARACTERS else None
