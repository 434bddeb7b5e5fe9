"""Conversion of rows to task values or row errors. The validation is the same as for any other task."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from chassis.kernel.errors import Invalid, raise_all
from task_service.csv_dialect.text import unescape_formula
from task_service.imports.domain.cells.assignees import assignee_candidates
from task_service.imports.domain.cells.cell_reader import CellReader
from task_service.imports.domain.cells.field_cells import plain_cell
from task_service.imports.domain.cells.row_cells import Cell, Cells, RawCells
from task_service.imports.domain.columns.mapping import COMPLETED_AT, DONE, FIELDS_OF_TASK
from task_service.imports.domain.duplicates import KeyedRow, OnDuplicate
from task_service.imports.domain.errors import ContinuationRowRejected, ContinuedTaskRejected, TooManyContinuationRows
from task_service.imports.domain.imports import Defaults
from task_service.imports.domain.options.row_rules import MAX_CONTINUATION_BYTES, MAX_CONTINUATION_ROWS
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.batch_columns import BatchColumns
from task_service.imports.domain.rows.external_ids import find_rounded_ids
from task_service.imports.domain.rows.failed_rows import FailedRow
from task_service.imports.domain.rows.fast_path import FastRowParser
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.domain.rows.row_selection import EVERY_ROW, RowSelection, continue_cells
from task_service.tasks.domain.task import TaskDraft, Values
from task_service.tasks.domain.values import Priority, Status

ROWS_PER_STEP = 50
"""Maximum rows of one step, which usually takes less than a millisecond."""
CELLS_PER_STEP = 10_000
"""Maximum cells of one step with several rows."""

_FIELD_ORDER = {field: order for order, field in enumerate(Cells._fields)} | {DONE: Cells._fields.index("status")}


class ConvertedRows(NamedTuple):
    """Result of some rows of a batch: values of new tasks, and rejected rows."""

    accepted: list[Values]
    failed: list[FailedRow]
    keyed: list[KeyedRow]
    """Accepted rows with an external_id. A lookup of existing tasks decides whether they create tasks."""
    unknown_fields: list[str]
    """Fields of the unknown cells in accepted rows. The options accept these cells."""


def distinct_assignees(batch: Batch, fields: Sequence[str]) -> set[str]:
    """Return the distinct usernames and emails that the assignee cells can mean."""
    if "assignee" not in fields:
        return set()
    cells = set(batch.cells[fields.index("assignee") :: len(fields)])
    return {name for cell in cells for name in assignee_candidates(unescape_formula(cell))} - {""}


def convert_rows(
    batch: Batch,
    context: IngestContext,
    assignees: Mapping[str, UUID],
    selection: RowSelection = EVERY_ROW,
    *,
    now: datetime,
) -> Iterator[ConvertedRows]:
    """Convert the rows of tasks, in steps of at most ROWS_PER_STEP so that the caller can yield in between.

    `assignees` maps the usernames and emails in the rows to ids. `now` is the latest time of completion.
    """
    columns = BatchColumns(context, batch.cells)
    reader = CellReader(context.row_options, context.column_of("status"), assignees, now=now)
    parse = FastRowParser(reader, context.defaults).values
    defective = selection.defective_tasks(batch.defects)
    validate = _RowValidator(batch, context, defective, columns, reader)
    unknown_cells = reader.unknown_cells
    rounded_ids = find_rounded_ids(batch, context.fields)
    accepted_count = 0
    if selection.surplus:
        error = TooManyContinuationRows(rows=MAX_CONTINUATION_ROWS, kib=MAX_CONTINUATION_BYTES // 1024)
        yield ConvertedRows([], [columns.failed_row(batch, row, error) for row in selection.surplus], [], [])
    for step in _task_rows(columns, batch, context, selection):
        converted = ConvertedRows([], [], [], [])
        for row_index, raw_cells in step:
            try:
                # Written out here, because a further call for every row would take a tenth of its time.
                values = (row_index not in defective and parse(*raw_cells)) or validate(row_index, raw_cells)
            except Invalid as error:
                converted.failed.extend(reject_task(columns, batch, context, selection, row_index, error))
                continue
            if unknown_cells:
                unknown_fields = _unknown_fields(_plain_cells(raw_cells), unknown_cells)
                # Only the times of completed tasks are read, so the cell is known from another row of the batch.
                if values.status is not Status.COMPLETED:
                    unknown_fields.discard(COMPLETED_AT)
                converted.unknown_fields.extend(unknown_fields)
            if values.external_id:
                changes: Mapping[str, Any] = {}
                if context.on_duplicate is OnDuplicate.UPDATE:
                    is_continued = row_index in selection.continuations
                    changes = _changed_fields(
                        values, _plain_cells(raw_cells), context, reader, is_continued=is_continued
                    )
                converted.keyed.append(KeyedRow(accepted_count + len(converted.accepted), row_index, values, changes))
            converted.accepted.append(values)
        if rounded_ids:
            converted.unknown_fields.extend(
                "external_id" for row in converted.keyed if row.values.external_id in rounded_ids
            )
        accepted_count += len(converted.accepted)
        yield converted


class _RowValidator:
    """Full validation of the rows that do not pass the fast path."""

    def __init__(
        self,
        batch: Batch,
        context: IngestContext,
        defective: Container[int],
        columns: BatchColumns,
        reader: CellReader,
    ) -> None:
        self._batch = batch
        self._context = context
        self._columns = columns
        self._reader = reader
        self._defective = defective

    def __call__(self, row_index: int, raw_cells: RawCells) -> Values:
        """Return the values of a row. Raises Invalid."""
        self._columns.raise_defects(self._batch, row_index, self._context.encoding)
        values = validate_row(_plain_cells(raw_cells), self._reader, self._context.defaults)
        if row_index in self._defective:
            raise ContinuationRowRejected
        return values


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


def _task_rows(
    columns: BatchColumns, batch: Batch, context: IngestContext, selection: RowSelection
) -> Iterator[Sequence[tuple[int, RawCells]]]:
    """Yield the index and the cells of each row of a task, with the text of the rows that continue it, in steps.

    Steps are empty while rows are read that a row before them may need.
    """
    rows_per_step = max(1, min(ROWS_PER_STEP, CELLS_PER_STEP // max(1, len(context.fields))))
    rows: Iterable[RawCells] = columns.rows()
    if selection.continuations:
        # A title that becomes a part of a description keeps its labels.
        options = replace(context.row_options, title_label_prefix="")
        pairs = zip(rows, BatchColumns(context._replace(row_options=options), batch.cells).rows(), strict=True)
        read: list[tuple[RawCells, RawCells]] = []
        while step := list(islice(pairs, rows_per_step)):
            read += step
            yield ()
        plain = [cells for cells, _ in read]
        for task, added in selection.continuations.items():
            plain[task] = continue_cells(Cells._make(plain[task]), [Cells._make(read[row][1]) for row in added])
        rows = plain
    tasks = ((row, cells) for row, cells in enumerate(rows) if row not in selection.omitted)
    while chosen := list(islice(tasks, rows_per_step)):
        yield chosen


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
    completed_at = reader.completed_at(cells.completed_at) if status is Status.COMPLETED else None
    return values._replace(status=status, priority=priority, due_date=due_date, completed_at=completed_at)


def _changed_fields(
    values: Values, cells: Cells, context: IngestContext, reader: CellReader, *, is_continued: bool
) -> Mapping[str, Any]:
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
    if not cells.description and "description" not in context.fields:
        names.discard("description")  # a file without descriptions may append to them, but clears none
    labels = reader.labels(cells.labels)
    if labels:
        names.add("labels")  # also those of a title
    elif "labels" not in context.fields:
        names.discard("labels")
    changes: dict[str, Any] = {name: getattr(values, name) for name in names - {"assignee"}}
    # The values contain the defaults, but those are for new tasks only.
    if "labels" in names and not labels:
        changes["labels"] = ()
    if is_continued:
        changes["description"] = values.description
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
        ("completed_at", cells.completed_at),
    )
    return {"status" if field == "done" else field for field, cell in pairs if (field, cell) in unknown_cells}
