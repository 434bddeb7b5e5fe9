"""Conversion of rows to task values or row errors. The validation is the same as for any other task."""

from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from chassis.kernel.errors import Invalid, raise_all
from task_service.csv_dialect.text import unescape_formula
from task_service.imports.domain.assignee_cells import assignee_candidates
from task_service.imports.domain.batch import Batch, Cell, Cells, RawCells
from task_service.imports.domain.batch_columns import BatchColumns
from task_service.imports.domain.cell_reader import CellReader
from task_service.imports.domain.column_mapping import DONE, FIELDS_OF_TASK
from task_service.imports.domain.duplicates import KeyedRow, OnDuplicate
from task_service.imports.domain.external_id_cells import is_rounded_number
from task_service.imports.domain.failed_rows import FailedRow
from task_service.imports.domain.fast_path import FastRowParser
from task_service.imports.domain.field_cells import plain_cell
from task_service.imports.domain.imports import Defaults, IngestContext
from task_service.tasks.domain.task import TaskDraft, Values
from task_service.tasks.domain.values import Priority

ROWS_PER_STEP = 50
"""Rows of one step, which takes less than a millisecond."""

_FIELD_ORDER = {field: order for order, field in enumerate(Cells._fields)} | {DONE: Cells._fields.index("status")}


class ConvertedRows(NamedTuple):
    """Result of some rows of a batch: values of new tasks, and rejected rows."""

    accepted: list[Values]
    failed: list[FailedRow]
    keyed: list[KeyedRow]
    """Accepted rows with an external_id. A lookup of existing tasks decides whether they create tasks."""
    unknown_fields: list[str]
    """Fields of the unknown cells in accepted rows. The options accept these cells."""


def distinct_values(batch: Batch, fields: Sequence[str], field: str) -> set[str]:
    """Return the distinct values of a column of names; empty if the file has no such column."""
    if field not in fields:
        return set()
    cells = set(batch.cells[fields.index(field) :: len(fields)])
    return {name for cell in cells for name in assignee_candidates(unescape_formula(cell))} - {""}


def convert_rows(batch: Batch, context: IngestContext, assignees: Mapping[str, UUID]) -> Iterator[ConvertedRows]:
    """Convert every row, in steps of ROWS_PER_STEP so that the caller can yield to other calls in between.

    `assignees` maps the usernames in the rows to ids.
    """
    columns = BatchColumns(context, batch.cells)
    reader = CellReader(context.value_options, context.column_of("status"), assignees)
    fast_parser = FastRowParser(reader, context.defaults)
    unknown_cells = reader.unknown_cells
    rows = enumerate(columns.rows())
    accepted_count = 0
    while step := list(islice(rows, ROWS_PER_STEP)):
        converted = ConvertedRows([], [], [], [])
        for row_index, raw_cells in step:
            values = None if row_index in batch.defects else fast_parser.values(*raw_cells)
            if values is None:
                try:
                    columns.raise_defects(batch, row_index, context.encoding)
                    values = validate_row(_plain_cells(raw_cells), reader, context.defaults)
                except Invalid as error:
                    converted.failed.append(columns.failed_row(batch, row_index, error))
                    continue
            if unknown_cells:
                converted.unknown_fields.extend(_unknown_fields(_plain_cells(raw_cells), unknown_cells))
            if values.external_id:
                if "E+" in values.external_id and is_rounded_number(values.external_id):
                    converted.unknown_fields.append("external_id")
                changes = (
                    _changed_fields(values, _plain_cells(raw_cells), context, reader)
                    if context.on_duplicate is OnDuplicate.UPDATE
                    else {}
                )
                converted.keyed.append(KeyedRow(accepted_count + len(converted.accepted), row_index, values, changes))
            converted.accepted.append(values)
        accepted_count += len(converted.accepted)
        yield converted


def build_failed_row(batch: Batch, context: IngestContext, row_index: int, error: Invalid) -> FailedRow:
    """Return the rejected row with its errors."""
    return BatchColumns(context, batch.cells).failed_row(batch, row_index, error)


def _plain_cells(raw_cells: RawCells) -> Cells:
    return Cells._make(map(plain_cell, raw_cells))


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
    raise_all(sorted(errors, key=lambda error: _FIELD_ORDER[error.field]))
    return values._replace(status=status, priority=priority, due_date=due_date)


def _changed_fields(values: Values, cells: Cells, context: IngestContext, reader: CellReader) -> dict[str, Any]:
    """Return the new values of an existing task: one for each field that the columns of the file fill.

    An empty cell clears the field. Status and priority can't be empty, so an empty cell leaves them unchanged. So does
    an unknown cell: its default is for new tasks.
    """
    names = {name for field in context.fields for name in FIELDS_OF_TASK.get(field, (field,))} - {"", "external_id"}
    # A status may come from another cell than the unknown one, so its own value decides.
    names -= _unknown_fields(cells, reader.unknown_cells) - {"status"}
    if reader.status(cells.status, []) is None:
        names.discard("status")
    if reader.priority(cells.priority, []) is None:
        names.discard("priority")
    labels = reader.labels(cells.labels)
    if labels:
        names.add("labels")  # also those of a title
    elif "labels" not in context.fields:
        names.discard("labels")
    changes: dict[str, Any] = {name: getattr(values, name) for name in names - {"assignee"}}
    # The values contain the defaults, but those are for new tasks only.
    if "labels" in names and not labels:
        changes["labels"] = ()
    if "assignee" in names:
        changes["assignee_id"] = values.assignee_id if cells.assignee.strip() else None
    return changes


def _unknown_fields(cells: Cells, unknown_cells: Container[tuple[str, Cell]]) -> set[str]:
    """Return the fields whose cells are unknown, but accepted by the options."""
    pairs = (
        ("status", cells.status),
        ("done", cells.status),
        ("priority", cells.priority),
        ("due_date", cells.due_date),
        ("assignee", cells.assignee),
    )
    return {"status" if field == "done" else field for field, cell in pairs if (field, cell) in unknown_cells}
