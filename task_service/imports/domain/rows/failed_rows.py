"""Rejected rows, and the quota for storing them."""

from collections.abc import Sequence
from typing import NamedTuple


class RowError(NamedTuple):
    """One error of one row. The fields have the order of the table's columns after the id."""

    record: int
    line: int
    column: str
    value: str
    code: str
    message: str


# An empty cell takes four bytes in an array of Postgres, and a file has up to a thousand columns.
_CELL_OVERHEAD = 4


class FailedRow(NamedTuple):
    """A rejected row: its cells as received, and its errors."""

    record: int
    line: int
    cells: tuple[str, ...]
    errors: tuple[RowError, ...]

    @property
    def size(self) -> int:
        """Approximate size of the stored row in bytes."""
        return sum(map(len, self.cells)) + _CELL_OVERHEAD * len(self.cells) + 100 * (1 + len(self.errors))


class ErrorReportRow(NamedTuple):
    """A rejected row in errors.csv."""

    record: int
    line: int
    cells: Sequence[str]
    messages: Sequence[str]


class Quota(NamedTuple):
    """Number and total size of rejected rows that may be stored. Further rows are only counted."""

    rows: int
    size: int

    def remaining(self, used: "Quota") -> "Quota":
        """Return the unused part of the quota."""
        return Quota(max(0, self.rows - used.rows), max(0, self.size - used.size))

    def select_fitting(self, failed: Sequence[FailedRow]) -> Sequence[FailedRow]:
        """Return the first rows that fit into the quota."""
        free = self.size
        for index, row in enumerate(failed[: self.rows]):
            free -= row.size
            if free < 0:
                return failed[:index]
        return failed[: self.rows]


MAX_STORED_FAILED_ROWS = Quota(rows=10_000, size=32 * 1024 * 1024)
"""Maximum for one import."""
