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


class FailedRow(NamedTuple):
    """A rejected row: its cells as received, and its errors."""

    record: int
    line: int
    cells: tuple[str, ...]
    errors: tuple[RowError, ...]

    @property
    def size(self) -> int:
        """Approximate size of the stored row in bytes."""
        return sum(map(len, self.cells)) + 100 * (1 + len(self.errors))


class RejectedRow(NamedTuple):
    """A rejected row as errors.csv returns it."""

    record: int
    line: int
    cells: Sequence[str]
    messages: Sequence[str]


class Quota(NamedTuple):
    """Number and total size of rejected rows that may be stored. Further rows are only counted."""

    rows: int
    size: int

    def beyond(self, kept: "Quota") -> "Quota":
        """Return the quota that is left."""
        return Quota(max(0, self.rows - kept.rows), max(0, self.size - kept.size))

    def for_some_of(self, failed: Sequence[FailedRow]) -> Sequence[FailedRow]:
        """Return the first rows that fit."""
        left = self.size
        for number, row in enumerate(failed[: self.rows]):
            left -= row.size
            if left < 0:
                return failed[:number]
        return failed[: self.rows]


MAX_KEPT_FAILED_ROWS = Quota(rows=10_000, size=32 * 1024 * 1024)
"""Maximum for one import."""
