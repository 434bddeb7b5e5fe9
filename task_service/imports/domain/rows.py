"""Conversion of rows to task values or row errors, with the validation of every other task."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Any, NamedTuple
from uuid import UUID

from chassis.kernel.errors import Invalid, raise_all
from task_service.csv_dialect.text import split_labels, unescape_formula
from task_service.imports.domain.duplicates import KeyedRow, OnDuplicate
from task_service.imports.domain.errors import CellTooLong, TooManyCells, UndecodableBytes
from task_service.imports.domain.failed_rows import FailedRow, RowError
from task_service.imports.domain.fast_path import FastRowParser
from task_service.imports.domain.imports import Checkpoint, Defaults, IngestContext
from task_service.tasks.domain.errors import UnknownAssignee
from task_service.tasks.domain.task import TaskDraft, Values
from task_service.tasks.domain.values import REPLACEMENT_CHARACTER

MAX_VALUE_CHARACTERS = 200
"""Maximum stored characters of a rejected cell."""

ROWS_PER_STEP = 50
"""Less than a millisecond of work."""


class Cells(NamedTuple):
    """Cells of a row, without neutralising apostrophes. A missing column is empty."""

    title: str
    description: str
    status: str
    priority: str
    due_date: str
    labels: str
    external_id: str
    assignee: str


class Defect(NamedTuple):
    """A defect that the parser found in a record."""

    kind: str
    """TOO_MANY_CELLS, UNDECODABLE or CELL_TOO_LONG."""
    cell: int
    """Number of cells, or the index of the cell that can't be decoded or was truncated."""
    surplus: str = ""
    """The surplus cells, joined."""


class Batch(NamedTuple):
    """Consecutive records: their cells in order, and the first line of each record."""

    begin: Checkpoint
    end: Checkpoint
    lines: Sequence[int]
    cells: Sequence[str]
    defects: Mapping[int, Sequence[Defect]]
    """By index of the row in the batch."""


class Outcome(NamedTuple):
    """Result of some rows of a batch: values of new tasks, and rejected rows."""

    accepted: list[Values]
    failed: list[FailedRow]
    keyed: list[KeyedRow]
    """Accepted rows with an external_id. A lookup of existing tasks decides whether they create tasks."""


def named(batch: Batch, fields: Sequence[str], field: str) -> set[str]:
    """Return the distinct values of a column; empty if the file has no such column."""
    if field not in fields:
        return set()
    return {unescape_formula(cell).strip() for cell in batch.cells[fields.index(field) :: len(fields)]} - {""}


def take(batch: Batch, context: IngestContext, assignees: Mapping[str, UUID]) -> Iterator[Outcome]:
    """Convert every row, in steps of ROWS_PER_STEP so that the caller can yield to other calls in between.

    `assignees` maps the usernames in the rows to ids.
    """
    columns = _Columns(context.fields, batch.cells)
    fast_parser = FastRowParser(context.defaults, assignees)
    rows = enumerate(columns.rows())
    place = 0
    while some := list(islice(rows, ROWS_PER_STEP)):
        outcome = Outcome([], [], [])
        for number, raw in some:
            values = None if number in batch.defects else fast_parser.values(*raw)
            if values is None:
                try:
                    columns.refuse_defects(batch, number, context.encoding)
                    values = _judged(_plain(raw), context.defaults, assignees)
                except Invalid as error:
                    outcome.failed.append(columns.failed(batch, number, error))
                    continue
            if values.external_id:
                changes = _said(values, _plain(raw), context) if context.on_duplicate is OnDuplicate.UPDATE else {}
                outcome.keyed.append(KeyedRow(place + len(outcome.accepted), number, values, changes))
            outcome.accepted.append(values)
        place += len(outcome.accepted)
        yield outcome


def failed_row(batch: Batch, context: IngestContext, number: int, error: Invalid) -> FailedRow:
    """Return the rejected row with its errors."""
    return _Columns(context.fields, batch.cells).failed(batch, number, error)


def _plain(raw: Iterable[str]) -> Cells:
    return Cells(*map(unescape_formula, raw))


def _judged(cells: Cells, defaults: Defaults, assignees: Mapping[str, UUID]) -> Values:
    """Return the values of a row, or raise all errors."""
    name = cells.assignee.strip()
    assignee_id = assignees.get(name) if name else defaults.assignee_id
    nobody = [UnknownAssignee(field="assignee")] if name and assignee_id is None else []
    draft = TaskDraft(
        cells.title,
        cells.description,
        cells.status.strip() or defaults.status,
        cells.priority,
        cells.due_date,
        cells.external_id,
        str(assignee_id or ""),
        split_labels(cells.labels) or tuple(defaults.labels),
    )
    try:
        values = draft.validate()
    except Invalid as error:
        raise_all([*error.violations, *nobody])
        raise
    raise_all(nobody)
    return values


def _said(values: Values, cells: Cells, context: IngestContext) -> dict[str, Any]:
    """Return the new values that a row has for an existing task: one for each column of the file.

    An empty cell clears the field. Status and priority can't be empty, so an empty cell leaves them unchanged.
    """
    said = {"assignee_id" if field == "assignee" else field for field in context.fields} - {"", "external_id"}
    said -= {name for name, cell in (("status", cells.status), ("priority", cells.priority)) if not cell.strip()}
    # The values contain the defaults, which are for new tasks only.
    empty: dict[str, Any] = {} if split_labels(cells.labels) else {"labels": ()}
    empty |= {} if cells.assignee.strip() else {"assignee_id": None}
    return {name: empty.get(name, getattr(values, name)) for name in said}


class _Columns:
    """Cells of a batch by column. A missing column is empty in every row."""

    def __init__(self, fields: tuple[str, ...], cells: Sequence[str]) -> None:
        self._fields = fields
        self._at = {field: place for place, field in enumerate(fields) if field}
        self._width = len(fields)
        self._cells = cells

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield each row's cells in the order of Cells."""
        return zip(*map(self._column, Cells._fields), strict=False)

    def _column(self, field: str) -> Iterable[str]:
        place = self._at.get(field)
        return repeat("") if place is None else self._cells[place :: self._width]

    def failed(self, batch: Batch, number: int, error: Invalid) -> FailedRow:
        record, line = batch.begin.records + number + 1, batch.lines[number]
        row = list(self._cells[number * self._width : (number + 1) * self._width])
        row += [defect.surplus for defect in batch.defects.get(number, ()) if defect.surplus]
        # Postgres can't store NUL. Its substitute is refused too if the row is uploaded again unchanged.
        cells = tuple(cell.replace("\0", REPLACEMENT_CHARACTER) for cell in row)
        errors = (
            RowError(record, line, wrong.field, self._value(cells, wrong.field), wrong.reason, wrong.message)
            for wrong in error.violations
        )
        return FailedRow(record, line, cells, tuple(errors))

    def refuse_defects(self, batch: Batch, number: int, encoding: str) -> None:
        """Raise the defects that the parser found in a row."""
        raise_all([self._error_of(number, defect, encoding) for defect in batch.defects.get(number, ())])

    def _error_of(self, number: int, defect: Defect, encoding: str) -> Invalid:
        if defect.kind == TooManyCells.reason:
            return TooManyCells(count=defect.cell, columns=self._width)
        if not 0 <= defect.cell < self._width:
            return UndecodableBytes(field="", encoding=encoding, cell=defect.cell + 1)
        field = self._fields[defect.cell]
        if defect.kind == CellTooLong.reason:
            # The cell was truncated to the limit, so its length is the limit.
            return CellTooLong(field=field, limit=len(self._cells[number * self._width + defect.cell]))
        return UndecodableBytes(field=field, encoding=encoding, cell=defect.cell + 1)

    def _value(self, cells: Sequence[str], field: str) -> str:
        place = self._at.get(field)
        return "" if place is None else cells[place][:MAX_VALUE_CHARACTERS]
