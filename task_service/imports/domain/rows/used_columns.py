"""Columns that an import uses. If many are unused, the worker sends these as the text of each record."""

import csv
from collections.abc import Sequence
from typing import NamedTuple

from task_service.imports.domain.errors import MalformedBatch
from task_service.imports.domain.options.row_rules import RowRules

MIN_UNUSED_COLUMNS = 16
"""Number of unused columns whose cells cost more than the text of the record. Measured: 8 cost as much as the text."""


class UsedColumns(NamedTuple):
    """Columns whose cells a batch has, and the format of the records that have all cells."""

    indexes: tuple[int, ...]
    """Indexes of the used columns, in order."""
    columns: int
    """Number of columns of the file."""
    delimiter: str

    def all_cells(self, record: str, used_cells: Sequence[str]) -> list[str]:
        """Return all cells of a record. Raises MalformedBatch when the record is not CSV."""
        limit = csv.field_size_limit()
        csv.field_size_limit(max(limit, len(record)))
        try:
            cells = next(csv.reader([record], delimiter=self.delimiter, strict=True), [])[: self.columns]
        except csv.Error:
            raise MalformedBatch(problem="a record is not CSV") from None
        finally:
            csv.field_size_limit(limit)
        cells += [""] * (self.columns - len(cells))
        for index, cell in zip(self.indexes, used_cells, strict=True):
            cells[index] = cell
        return cells


def find_used_columns(fields: Sequence[str], rules: RowRules) -> tuple[int, ...]:
    """Return the indexes of the columns whose cells the worker sends; empty for all."""
    conditions = {rule.column for rule in rules if rule}
    used = tuple(index for index, field in enumerate(fields) if field or index in conditions)
    return used if len(fields) - len(used) >= MIN_UNUSED_COLUMNS else ()
