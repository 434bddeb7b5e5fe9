"""Conversion of rows to task values or row errors. The validation is the same as for any other task."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any
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


@dataclass(slots=True, kw_only=True)
class ConvertedRows:
    """Result of some rows of a batch: values of new tasks, and rejected rows."""

    accepted: list[Values] = field(default_factory=list)
    failed: list[FailedRow] = field(default_factory=list)
    keyed: list[KeyedRow] = field(default_factory=list)
    """Accepted rows with an external_id. A lookup of existing tasks decides whether they create tasks."""
    unknown_fields: list[str] = field(default_factory=list)
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
    if selection.surplus:
        columns = BatchColumns(context, batch)
        error = TooManyContinuationRows(rows=MAX_CONTINUATION_ROWS, kib=MAX_CONTINUATION_BYTES // 1024)
        yield ConvertedRows(failed=[columns.failed_row(row, error) for row in selection.surplus])
    done_has_times = context.column_of(COMPLETED_AT) is None
    reader = CellReader(
        context.row_options, context.column_of("status"), assignees, now=now, done_has_times=done_has_times
    )
    converter = _RowConverter(batch, context, selection, reader)
    for step in _task_rows(batch, context, selection):
        yield converter.convert(step)


class _RowConverter:
    """Converter of the rows of one batch, step by step."""

    def __init__(self, batch: Batch, context: IngestContext, selection: RowSelection, reader: CellReader) -> None:
        self._context = context
        self._selection = selection
        self._reader = reader
        self._columns = BatchColumns(context, batch)
        self._parse = FastRowParser(reader, context.defaults).values
        self._defective = selection.defective_tasks(batch.defects)
        self._rounded_ids = find_rounded_ids(batch, context.fields)
        self._is_update = context.on_duplicate is OnDuplicate.UPDATE
        self._accepted_count = 0

    def convert(self, rows: Sequence[tuple[int, RawCells]]) -> ConvertedRows:
        """Convert the rows of a step, each given by its index and its cells."""
        converted = ConvertedRows()
        parse, defective, unknown_cells = self._parse, self._defective, self._reader.unknown_cells
        for row_index, raw_cells in rows:
            try:
                # Written out here, because a further call for every row would take a tenth of its time.
                values = (row_index not in defective and parse(*raw_cells)) or self._validate(row_index, raw_cells)
            except Invalid as error:
                converted.failed.extend(reject_task(self._columns, self._selection, row_index, error))
                continue
            if unknown_cells:
                self._note_unknown_fields(converted, values, raw_cells)
            if values.external_id:
                accepted_index = self._accepted_count + len(converted.accepted)
                changes = self._changes(row_index, values, raw_cells) if self._is_update else {}
                converted.keyed.append(KeyedRow(accepted_index, row_index, values, changes))
            converted.accepted.append(values)
        if self._rounded_ids:
            rounded = (row for row in converted.keyed if row.values.external_id in self._rounded_ids)
            converted.unknown_fields.extend("external_id" for _ in rounded)
        self._accepted_count += len(converted.accepted)
        return converted

    def _validate(self, row_index: int, raw_cells: RawCells) -> Values:
        """Return the values of a row that does not pass the fast path. Raises Invalid."""
        self._columns.raise_defects(row_index)
        values = validate_row(_plain_cells(raw_cells), self._reader, self._context.defaults)
        if row_index in self._defective:
            raise ContinuationRowRejected
        return values

    def _note_unknown_fields(self, converted: ConvertedRows, values: Values, raw_cells: RawCells) -> None:
        fields = _unknown_fields(_plain_cells(raw_cells), self._reader.unknown_cells)
        # Only the times of completed tasks are read, so the cell is known from another row of the batch.
        if values.status is not Status.COMPLETED:
            fields.discard(COMPLETED_AT)
        converted.unknown_fields.extend(fields)

    def _changes(self, row_index: int, values: Values, raw_cells: RawCells) -> Mapping[str, Any]:
        is_continued = row_index in self._selection.continuations
        return _changed_fields(values, _plain_cells(raw_cells), self._context, self._reader, is_continued=is_continued)


def reject_task(columns: BatchColumns, selection: RowSelection, row_index: int, error: Invalid) -> Iterator[FailedRow]:
    """Yield the rejected row of a task with its errors, and the rows that continue it."""
    yield columns.failed_row(row_index, error)
    for row in selection.continuations.get(row_index, ()):
        try:
            columns.raise_defects(row)
            yield columns.failed_row(row, ContinuedTaskRejected())
        except Invalid as defects:
            yield columns.failed_row(row, defects)


def _task_rows(
    batch: Batch, context: IngestContext, selection: RowSelection
) -> Iterator[Sequence[tuple[int, RawCells]]]:
    """Yield the index and the cells of each row of a task, with the text of the rows that continue it, in steps.

    Steps are empty while rows are read that a row before them may need.
    """
    rows_per_step = max(1, min(ROWS_PER_STEP, CELLS_PER_STEP // max(1, len(context.fields))))
    rows: Iterable[RawCells] = BatchColumns(context, batch).rows()
    if selection.continuations:
        # A title that becomes a part of a description keeps its labels.
        options = replace(context.row_options, title_label_prefix="")
        pairs = zip(rows, BatchColumns(context._replace(row_options=options), batch).rows(), strict=True)
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
    if values.completed_at:
        names.add(COMPLETED_AT)  # also that of a column of done
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
