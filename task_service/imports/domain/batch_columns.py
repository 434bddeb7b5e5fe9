"""Columns of a batch: the cells that fill each field, and the errors that quote them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import repeat

from chassis.kernel.errors import Invalid, raise_all
from task_service.csv_dialect.text import LABEL_SEPARATOR, escape_formula, join_labels, split_labels, unescape_formula
from task_service.imports.domain.batch import Batch, Cells, Defect
from task_service.imports.domain.errors import CellTooLong, TooManyCells, UndecodableBytes
from task_service.imports.domain.failed_rows import FailedRow, RowError
from task_service.tasks.domain.values import REPLACEMENT_CHARACTER

MAX_VALUE_CHARACTERS = 200
"""Maximum stored characters of a rejected cell."""


class BatchColumns:
    """Cells of a batch by column. A missing column is empty in every row."""

    def __init__(self, fields: tuple[str, ...], cells: Sequence[str], label_separator: str = LABEL_SEPARATOR) -> None:
        self._fields = fields
        self._label_separator = label_separator
        self._indexes_by_field = defaultdict[str, list[int]](list)
        for index, field in enumerate(fields):
            if field:
                self._indexes_by_field[field].append(index)
        self._width = len(fields)
        self._cells = cells

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield each row's cells in the order of Cells."""
        return zip(*map(self._column, Cells._fields), strict=False)

    def _column(self, field: str) -> Iterable[str]:
        cells = [self._cells[index :: self._width] for index in self._indexes_by_field.get(field, ())]
        if len(cells) > 1:  # only labels have several columns
            return map(cache(self._join_label_cells), *cells)
        return cells[0] if cells else repeat("")

    def _join_label_cells(self, *cells: str) -> str:
        """Return one cell that has the labels of all."""
        separator = self._label_separator
        labels = [label for cell in cells for label in split_labels(unescape_formula(cell), separator)]
        return escape_formula(join_labels(labels, separator))

    def failed_row(self, batch: Batch, row_index: int, error: Invalid) -> FailedRow:
        record, line = batch.begin.records + row_index + 1, batch.lines[row_index]
        row = list(self._cells[row_index * self._width : (row_index + 1) * self._width])
        row += [defect.surplus for defect in batch.defects.get(row_index, ()) if defect.surplus]
        # Postgres can't store NUL. Its replacement is rejected too if the row is uploaded again unchanged.
        cells = tuple(cell.replace("\0", REPLACEMENT_CHARACTER) for cell in row)
        errors = (
            RowError(
                record,
                line,
                violation.field,
                self._stored_value(cells, violation.field),
                violation.reason,
                violation.message,
            )
            for violation in error.violations
        )
        return FailedRow(record, line, cells, tuple(errors))

    def raise_defects(self, batch: Batch, row_index: int, encoding: str) -> None:
        """Raise the defects that the parser found in a row."""
        raise_all([self._defect_error(row_index, defect, encoding) for defect in batch.defects.get(row_index, ())])

    def _defect_error(self, row_index: int, defect: Defect, encoding: str) -> Invalid:
        if defect.kind == TooManyCells.reason:
            return TooManyCells(count=defect.cell, columns=self._width)
        if not 0 <= defect.cell < self._width:
            return UndecodableBytes(field="", encoding=encoding, cell=defect.cell + 1)
        field = self._fields[defect.cell]
        if defect.kind == CellTooLong.reason:
            # The cell was truncated to the limit, so its length is the limit.
            return CellTooLong(field=field, limit=len(self._cells[row_index * self._width + defect.cell]))
        return UndecodableBytes(field=field, encoding=encoding, cell=defect.cell + 1)

    def _stored_value(self, cells: Sequence[str], field: str) -> str:
        found = [cells[index] for index in self._indexes_by_field.get(field, ())]
        return ",".join(filter(None, found))[:MAX_VALUE_CHARACTERS]
