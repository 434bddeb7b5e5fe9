"""Cells of the columns that an import uses, and text of the others."""

import csv
import io
from collections.abc import Callable, Sequence
from operator import itemgetter

MAX_UTF_8_BYTES = 4
"""Maximum bytes of a character."""


class UsedCells:
    """Selection of the used columns of a file. Their indexes rise."""

    def __init__(self, columns: Sequence[int], delimiter: str) -> None:
        self._columns = columns
        self._delimiter = delimiter
        self.select: Callable[[list[str]], Sequence[str]] = (
            itemgetter(*columns) if len(columns) > 1 else itemgetter(slice(columns[0], columns[0] + 1))
        )
        """Return the used cells of a record that has all columns."""

    def max_bytes(self, row: list[str], record_bytes: int) -> int:
        """Return the maximum number of bytes that the used cells of a record of this size take in UTF-8."""
        if len(row) <= self._columns[-1]:
            return record_bytes
        text = "".join(self.select(row))
        return len(text) if text.isascii() else min(MAX_UTF_8_BYTES * len(text), record_bytes)

    def write_unused(self, row: list[str]) -> str:
        """Return a record as CSV, with empty cells in the used columns."""
        cells = list(row)
        for column in self._columns:
            cells[column] = ""
        text = io.StringIO()
        csv.writer(text, delimiter=self._delimiter).writerow(cells)
        return text.getvalue()
