"""Columns of a batch: the cells that fill each field, and the errors that quote them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from chassis.kernel.errors import Invalid, raise_all
from task_service.imports.domain.batch import Batch, Defect, RawCells
from task_service.imports.domain.column_mapping import APPEND, STATUS_OR_LABEL
from task_service.imports.domain.errors import CellTooLong, TooManyCells, UndecodableBytes
from task_service.imports.domain.failed_rows import FailedRow, RowError
from task_service.imports.domain.field_cells import FieldCells
from task_service.imports.domain.imports import IngestContext
from task_service.tasks.domain.values import REPLACEMENT_CHARACTER

MAX_VALUE_CHARACTERS = 200
"""Maximum stored characters of a rejected cell."""

_FURTHER_FIELDS = {"description": (APPEND,), "labels": (STATUS_OR_LABEL,)}
"""Fields whose columns also fill another field, and may be the cause of its errors."""


class BatchColumns:
    """Cells of a batch by column. A missing column is empty in every row."""

    def __init__(self, context: IngestContext, cells: Sequence[str]) -> None:
        self._context = context
        self._fields = fields = context.fields
        self._indexes_by_field = defaultdict[str, list[int]](list)
        for index, field in enumerate(fields):
            if field:
                self._indexes_by_field[field].append(index)
        self._width = len(fields)
        self._cells = cells

    def rows(self) -> Iterator[RawCells]:
        """Yield each row's cells."""
        context = self._context
        names = context.columns or self._fields
        return FieldCells(self._indexes_by_field, names, self._cells, self._width, context.value_options).rows()

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
        fields = [field, *_FURTHER_FIELDS.get(field, ())]
        if field == "labels" and self._context.value_options.title_label_prefix:
            fields.append("title")
        found = [cells[index] for name in fields for index in self._indexes_by_field.get(name, ())]
        return ",".join(filter(None, found))[:MAX_VALUE_CHARACTERS]
