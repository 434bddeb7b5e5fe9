"""Columns of a batch: the cells that fill each field, and the errors that quote them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from chassis.kernel.errors import Invalid, raise_all
from task_service.imports.domain.cells.field_cells import FieldCells
from task_service.imports.domain.cells.row_cells import RawCells
from task_service.imports.domain.columns.mapping import APPEND, STATUS_OR_LABEL
from task_service.imports.domain.errors import CellTooLong, TooManyCells, UndecodableBytes
from task_service.imports.domain.rows.batch import Batch, Defect
from task_service.imports.domain.rows.failed_rows import FailedRow, RowError
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.domain.rows.used_columns import UsedColumns, find_used_columns
from task_service.tasks.domain.values import REPLACEMENT_CHARACTER

MAX_VALUE_CHARACTERS = 200
"""Maximum stored characters of a rejected cell."""

_FURTHER_FIELDS = {"description": (APPEND,), "labels": (STATUS_OR_LABEL,)}
"""Fields whose columns also fill another field, and may be the cause of its errors."""


class BatchColumns:
    """Cells of a batch by column. A missing column is empty in every row."""

    def __init__(self, context: IngestContext, batch: Batch) -> None:
        self._context = context
        self._batch = batch
        self._fields = fields = context.fields
        self._indexes_by_field = defaultdict[str, list[int]](list)
        for index, field in enumerate(fields):
            if field:
                self._indexes_by_field[field].append(index)
        self._width = len(fields)

    def rows(self) -> Iterator[RawCells]:
        """Yield each row's cells."""
        context = self._context
        names = context.columns or self._fields
        return FieldCells(self._indexes_by_field, names, self._batch.cells, self._width, context.row_options).rows()

    def failed_row(self, row_index: int, error: Invalid) -> FailedRow:
        record, line = self._batch.begin.records + row_index + 1, self._batch.lines[row_index]
        row = self._all_cells(row_index)
        row += [defect.surplus for defect in self._defects(row_index) if defect.surplus]
        cells = _without_nul(row)
        used_cells = _without_nul(self._used_cells(row_index))
        errors = (
            RowError(
                record,
                line,
                violation.field,
                self._stored_value(used_cells, violation.field),
                violation.reason,
                violation.message,
            )
            for violation in error.violations
        )
        return FailedRow(record, line, cells, tuple(errors))

    def raise_defects(self, row_index: int) -> None:
        """Raise the defects that the parser found in a row."""
        raise_all([self._defect_error(row_index, defect) for defect in self._defects(row_index)])

    def _defects(self, row_index: int) -> Sequence[Defect]:
        return self._batch.defects.get(row_index, ())

    def _used_cells(self, row_index: int) -> Sequence[str]:
        return self._batch.cells[row_index * self._width : (row_index + 1) * self._width]

    def _all_cells(self, row_index: int) -> list[str]:
        used, cells = self._context.used_columns, self._used_cells(row_index)
        return used.all_cells(self._batch.records[row_index], cells) if used else list(cells)

    def _defect_error(self, row_index: int, defect: Defect) -> Invalid:
        used, encoding = self._context.used_columns, self._context.encoding
        fields = dict(zip(used.indexes, self._fields, strict=True)) if used else dict(enumerate(self._fields))
        columns = used.columns if used else self._width
        if defect.kind == TooManyCells.reason:
            return TooManyCells(count=defect.cell, columns=columns)
        if not 0 <= defect.cell < columns:
            return UndecodableBytes(field="", encoding=encoding, cell=defect.cell + 1)
        field = fields.get(defect.cell, "")
        if defect.kind == CellTooLong.reason:
            # The cell was truncated to the limit, so its length is the limit.
            return CellTooLong(field=field, limit=len(self._all_cells(row_index)[defect.cell]))
        return UndecodableBytes(field=field, encoding=encoding, cell=defect.cell + 1)

    def _stored_value(self, cells: Sequence[str], field: str) -> str:
        fields = [field, *_FURTHER_FIELDS.get(field, ())]
        if field == "labels" and self._context.row_options.title_label_prefix:
            fields.append("title")
        found = [cells[index] for name in fields for index in self._indexes_by_field.get(name, ())]
        return ",".join(filter(None, found))[:MAX_VALUE_CHARACTERS]


def _without_nul(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the cells without NUL, which Postgres can't store. A row with its replacement is rejected too."""
    return tuple(cell.replace("\0", REPLACEMENT_CHARACTER) for cell in cells)


def without_unused_columns(context: IngestContext, delimiter: str) -> IngestContext:
    """Return the context for batches that have the cells of the used columns only, if many are unused."""
    used = find_used_columns(context.fields, context.row_rules)
    if not used:
        return context
    names = context.columns
    return context._replace(
        fields=tuple(context.fields[index] for index in used),
        # The number of a column in the file stands for a missing name.
        columns=tuple(names[index] if names[index].strip() else f"#{index + 1}" for index in used),
        row_rules=context.row_rules.for_columns(used),
        used_columns=UsedColumns(used, len(context.fields), delimiter),
    )
