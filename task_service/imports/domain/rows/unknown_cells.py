"""Cells that are imported although they are unknown or damaged."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple


class UnknownCells(NamedTuple):
    """Number of imported rows with a cell that is unknown or damaged, by field."""

    status: int = 0
    priority: int = 0
    due_date: int = 0
    assignee: int = 0
    completed_at: int = 0
    external_id: int = 0

    @classmethod
    def from_counter(cls, counter: Counter[str]) -> "UnknownCells":
        return cls(**counter)

    def warnings(self) -> Iterator[str]:
        """Yield a warning for each field with such cells."""
        for count, text in zip(self, _WARNINGS, strict=True):
            if count:
                yield text.format(rows="1 row has" if count == 1 else f"{count} rows have")


_WARNINGS = (
    "{rows} an unknown status and got the default status (on_unknown_status=default).",
    "{rows} an unknown priority and got the priority none (on_unknown_priority=default).",
    "{rows} an unreadable due date and got none (on_unknown_date=empty).",
    "{rows} an unknown assignee, which counts as an empty cell (on_unknown_assignee=leave_empty).",
    "{rows} a completion time that was left empty: it is unreadable, before 1900 or in the future.",
    "{rows} an external_id such as 1.21E+08, which a spreadsheet has rounded. Import the original file instead.",
)
