"""Rows of a file that were wrong, and how many of them are kept."""

from collections.abc import Sequence
from typing import NamedTuple


class RowError(NamedTuple):
    """One thing wrong with one row. The order of the fields is the order of the table's columns behind the id."""

    record: int
    line: int
    column: str
    value: str
    code: str
    message: str


class FailedRow(NamedTuple):
    """A row that was wrong: its cells as they came, and all that is wrong with it."""

    record: int
    line: int
    cells: tuple[str, ...]
    errors: tuple[RowError, ...]

    @property
    def size(self) -> int:
        """About how many bytes it takes to keep."""
        return sum(map(len, self.cells)) + 100 * (1 + len(self.errors))


class RejectedRow(NamedTuple):
    """A row that was wrong, as it is handed back."""

    record: int
    line: int
    cells: Sequence[str]
    messages: Sequence[str]


class Quota(NamedTuple):
    """How many wrong rows of an import are still kept. Those beyond it are only counted."""

    rows: int
    size: int

    def beyond(self, kept: "Quota") -> "Quota":
        """What is left when so much is taken."""
        return Quota(max(0, self.rows - kept.rows), max(0, self.size - kept.size))

    def for_some_of(self, failed: Sequence[FailedRow]) -> Sequence[FailedRow]:
        """The first of these rows, as far as they fit."""
        left = self.size
        for number, row in enumerate(failed[: self.rows]):
            left -= row.size
            if left < 0:
                return failed[:number]
        return failed[: self.rows]


MAX_KEPT_FAILED_ROWS = Quota(rows=10_000, size=32 * 1024 * 1024)
"""What is kept of one import, whatever its file holds."""
