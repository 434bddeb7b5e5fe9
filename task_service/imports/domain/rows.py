"""Conversion of rows to task values or row errors. The validation is the same as for any other task."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from chassis.kernel.errors import Invalid, raise_all
from task_service.csv_dialect.text import LABEL_SEPARATOR, unescape_formula
from task_service.imports.domain.batch import Batch, Cells
from task_service.imports.domain.batch_columns import BatchColumns
from task_service.imports.domain.cell_reader import CellReader
from task_service.imports.domain.duplicates import KeyedRow, OnDuplicate
from task_service.imports.domain.errors import (
    ContinuationRowRejected,
    ContinuedTaskRejected,
    TooManyContinuationRows,
)
from task_service.imports.domain.failed_rows import FailedRow
from task_service.imports.domain.fast_path import FastRowParser
from task_service.imports.domain.imports import Defaults, IngestContext
from task_service.imports.domain.row_rules import MAX_CONTINUATION_BYTES, MAX_CONTINUATION_ROWS
from task_service.imports.domain.row_selection import EVERY_ROW, RowSelection, continue_cells
from task_service.tasks.domain.task import TaskDraft, Values
from task_service.tasks.domain.values import Priority

ROWS_PER_STEP = 50
"""Rows of one step, which takes less than a millisecond."""


class ConvertedRows(NamedTuple):
    """Result of some rows of a batch: values of new tasks, and rejected rows."""

    accepted: list[Values]
    failed: list[FailedRow]
    keyed: list[KeyedRow]
    """Accepted rows with an external_id. A lookup of existing tasks decides whether they create tasks."""
    unknown_fields: list[str]
    """Fields of the unknown cells in accepted rows. The options accept these cells."""


def distinct_values(batch: Batch, fields: Sequence[str], field: str) -> set[str]:
    """Return the distinct values of a column; empty if the file has no such column."""
    if field not in fields:
        return set()
    return {unescape_formula(cell).strip() for cell in batch.cells[fields.index(field) :: len(fields)]} - {""}


def convert_rows(
    batch: Batch, context: IngestContext, assignees: Mapping[str, UUID], selection: RowSelection = EVERY_ROW
) -> Iterator[ConvertedRows]:
    """Convert the rows of tasks, in steps of ROWS_PER_STEP so that the caller can yield in between.

    `assignees` maps the usernames and emails in the rows to ids.
    """
    columns = BatchColumns(context.fields, batch.cells, context.value_options.label_separator or LABEL_SEPARATOR)
    reader = CellReader(context.value_options, context.column_of("status"), assignees)
    fast_parser = FastRowParser(reader, context.defaults)
    unknown_cells = reader.unknown_cells
    defective = {
        task for task, rows in selection.continuations.items() if any(row in batch.defects for row in rows)
    }.union(batch.defects)
    rows = _task_rows(columns, selection)
    accepted_count = 0
    if selection.surplus:
        error = TooManyContinuationRows(rows=MAX_CONTINUATION_ROWS, kib=MAX_CONTINUATION_BYTES // 1024)
        yield ConvertedRows([], [columns.failed_row(batch, row, error) for row in selection.surplus], [], [])
    while step := list(islice(rows, ROWS_PER_STEP)):
        converted = ConvertedRows([], [], [], [])
        for row_index, raw_cells in step:
            values = None if row_index in defective else fast_parser.values(*raw_cells)
            if values is None:
                try:
                    columns.raise_defects(batch, row_index, context.encoding)
                    values = validate_row(_plain_cells(raw_cells), reader, context.defaults)
                    if row_index in defective:
                        raise ContinuationRowRejected
                except Invalid as error:
                    converted.failed.extend(reject_task(columns, batch, context, selection, row_index, error))
                    continue
            if unknown_cells:
                converted.unknown_fields.extend(_unknown_fields(_plain_cells(raw_cells), unknown_cells))
            if values.external_id:
                changes = (
                    _changed_fields(values, _plain_cells(raw_cells), context, reader)
                    if context.on_duplicate is OnDuplicate.UPDATE
                    else {}
                )
                if changes and row_index in selection.continuations:
                    changes["description"] = values.description
                converted.keyed.append(KeyedRow(accepted_count + len(converted.accepted), row_index, values, changes))
            converted.accepted.append(values)
        accepted_count += len(converted.accepted)
        yield converted


def reject_task(
    columns: BatchColumns,
    batch: Batch,
    context: IngestContext,
    selection: RowSelection,
    row_index: int,
    error: Invalid,
) -> Iterator[FailedRow]:
    """Yield the rejected row of a task with its errors, and the rows that continue it."""
    yield columns.failed_row(batch, row_index, error)
    for row in selection.continuations.get(row_index, ()):
        try:
            columns.raise_defects(batch, row, context.encoding)
            yield columns.failed_row(batch, row, ContinuedTaskRejected())
        except Invalid as defects:
            yield columns.failed_row(batch, row, defects)


def _task_rows(columns: BatchColumns, selection: RowSelection) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the index and the cells of each row of a task, with the cells of the rows that continue it."""
    if not selection.continuations:
        return ((row, cells) for row, cells in enumerate(columns.rows()) if row not in selection.omitted)
    rows = list(map(Cells._make, columns.rows()))
    for task, added in selection.continuations.items():
        rows[task] = continue_cells(rows[task], [rows[row] for row in added])
    return ((row, cells) for row, cells in enumerate(rows) if row not in selection.omitted)


def _plain_cells(raw_cells: Iterable[str]) -> Cells:
    return Cells(*map(unescape_formula, raw_cells))


def validate_row(cells: Cells, reader: CellReader, defaults: Defaults) -> Values:
    """Return the values of a row. Raises all its errors, in the order of the fields."""
    errors: list[Invalid] = []
    status = reader.status(cells.status, errors) or defaults.initial_status
    priority = reader.priority(cells.priority, errors) or Priority.NONE
    due_date = reader.due_date(cells.due_date, errors)
    assignee_id = reader.assignee(cells.assignee, errors) or defaults.assignee_id
    draft = TaskDraft(
        cells.title,
        cells.description,
        external_id=cells.external_id,
        assignee_id=str(assignee_id or ""),
        labels=reader.labels(cells.labels) or tuple(defaults.labels),
    )
    try:
        values = draft.validate()
    except Invalid as error:
        errors += error.violations
    raise_all(sorted(errors, key=lambda error: Cells._fields.index(error.field)))
    return values._replace(status=status, priority=priority, due_date=due_date)


def _changed_fields(values: Values, cells: Cells, context: IngestContext, reader: CellReader) -> dict[str, Any]:
    """Return the new values of an existing task: one for each column of the file.

    An empty cell clears the field. Status and priority can't be empty, so an empty cell leaves them unchanged. So does
    an unknown cell: its default is for new tasks.
    """
    names = {"assignee_id" if field == "assignee" else field for field in context.fields} - {"", "external_id"}
    names -= {name for name, cell in (("status", cells.status), ("priority", cells.priority)) if not cell.strip()}
    names -= {"assignee_id" if field == "assignee" else field for field in _unknown_fields(cells, reader.unknown_cells)}
    # The values contain the defaults, but those are for new tasks only.
    cleared: dict[str, Any] = {} if reader.labels(cells.labels) else {"labels": ()}
    cleared |= {} if cells.assignee.strip() else {"assignee_id": None}
    return {name: cleared.get(name, getattr(values, name)) for name in names}


def _unknown_fields(cells: Cells, unknown_cells: Container[tuple[str, str]]) -> set[str]:
    """Return the fields whose cells are unknown, but accepted by the options."""
    pairs = (
        ("status", cells.status),
        ("priority", cells.priority),
        ("due_date", cells.due_date),
        ("assignee", cells.assignee),
    )
    return {field for field, cell in pairs if (field, cell) in unknown_cells}
