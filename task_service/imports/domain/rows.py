"""Rows of an import become the values of tasks, or row errors, by the same rules as any other task's."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Any, NamedTuple
from uuid import UUID

from chassis.kernel.errors import Invalid, raise_all
from task_service.csv_dialect.text import plain, split_labels
from task_service.imports.domain.duplicates import KeyedRow, OnDuplicate
from task_service.imports.domain.errors import CellTooLong, TooManyCells, UndecodableBytes
from task_service.imports.domain.failed_rows import FailedRow, RowError
from task_service.imports.domain.fast_path import FastRowParser
from task_service.imports.domain.imports import Checkpoint, Defaults, IngestContext
from task_service.tasks.domain.errors import UnknownAssignee
from task_service.tasks.domain.task import TaskDraft, Values
from task_service.tasks.domain.values import REPLACEMENT_CHARACTER

MAX_VALUE_CHARACTERS = 200
"""Characters of a rejected cell that are kept."""

ROWS_PER_STEP = 50
"""A fraction of a millisecond's work."""


class Cells(NamedTuple):
    """What a row says, without marks of ours. A column that the file lacks is empty."""

    title: str
    description: str
    status: str
    priority: str
    due_date: str
    labels: str
    external_id: str
    assignee: str


class Defect(NamedTuple):
    """A record that the parser could not hand over as it stands in the file."""

    kind: str
    """TOO_MANY_CELLS, UNDECODABLE or CELL_TOO_LONG."""
    cell: int
    """How many cells there are, or which one can't be decoded or was cut, from 0."""
    surplus: str = ""
    """The cells that are too many, as one."""


class Batch(NamedTuple):
    """Consecutive records: cells record after record, and the line each record begins at."""

    begin: Checkpoint
    end: Checkpoint
    lines: Sequence[int]
    cells: Sequence[str]
    defects: Mapping[int, Sequence[Defect]]
    """By the row's place in the batch, from 0."""


class Outcome(NamedTuple):
    """What became of rows of a batch: the values of tasks to be, and the rows that were wrong."""

    accepted: list[Values]
    failed: list[FailedRow]
    keyed: list[KeyedRow]
    """Those of the accepted that have an external_id: only a look at what is there says whether they become tasks."""


def named(batch: Batch, fields: Sequence[str], field: str) -> set[str]:
    """What the rows say in a column, each value once; nothing where the file has no such column."""
    if field not in fields:
        return set()
    return {plain(cell).strip() for cell in batch.cells[fields.index(field) :: len(fields)]} - {""}


def take(batch: Batch, context: IngestContext, assignees: Mapping[str, UUID]) -> Iterator[Outcome]:
    """Judges every row, ROWS_PER_STEP by ROWS_PER_STEP, so that others can have their turn in between.

    `assignees` are the users whom the rows name, by the name that they give.
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
    """A row of the batch with what was found to be wrong with it."""
    return _Columns(context.fields, batch.cells).failed(batch, number, error)


def _plain(raw: Iterable[str]) -> Cells:
    return Cells(*map(plain, raw))


def _judged(cells: Cells, defaults: Defaults, assignees: Mapping[str, UUID]) -> Values:
    """The values of a row, or all that is wrong with it."""
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
    """What a row says of a task that is there already: something of each field for which the file has a column.

    An empty cell empties the field. A task always has a status and a priority: an empty cell leaves them as they are.
    """
    said = {"assignee_id" if field == "assignee" else field for field in context.fields} - {"", "external_id"}
    said -= {name for name, cell in (("status", cells.status), ("priority", cells.priority)) if not cell.strip()}
    # The values have the defaults there, which are for new tasks alone.
    empty: dict[str, Any] = {} if split_labels(cells.labels) else {"labels": ()}
    empty |= {} if cells.assignee.strip() else {"assignee_id": None}
    return {name: empty.get(name, getattr(values, name)) for name in said}


class _Columns:
    """The cells of a batch by column. One that the file lacks is empty in every row."""

    def __init__(self, fields: tuple[str, ...], cells: Sequence[str]) -> None:
        self._fields = fields
        self._at = {field: place for place, field in enumerate(fields) if field}
        self._width = len(fields)
        self._cells = cells

    def rows(self) -> Iterator[tuple[str, ...]]:
        """What each row says, in the order of Cells."""
        return zip(*map(self._column, Cells._fields), strict=False)

    def _column(self, field: str) -> Iterable[str]:
        place = self._at.get(field)
        return repeat("") if place is None else self._cells[place :: self._width]

    def failed(self, batch: Batch, number: int, error: Invalid) -> FailedRow:
        record, line = batch.begin.records + number + 1, batch.lines[number]
        row = list(self._cells[number * self._width : (number + 1) * self._width])
        row += [defect.surplus for defect in batch.defects.get(number, ()) if defect.surplus]
        # Postgres can't hold NUL. What stands for it is refused as well, should the row come back as it is.
        cells = tuple(cell.replace("\0", REPLACEMENT_CHARACTER) for cell in row)
        errors = (
            RowError(record, line, wrong.field, self._value(cells, wrong.field), wrong.reason, wrong.message)
            for wrong in error.violations
        )
        return FailedRow(record, line, cells, tuple(errors))

    def refuse_defects(self, batch: Batch, number: int, encoding: str) -> None:
        """Raises what the parser found wrong with a row."""
        raise_all([self._error_of(number, defect, encoding) for defect in batch.defects.get(number, ())])

    def _error_of(self, number: int, defect: Defect, encoding: str) -> Invalid:
        if defect.kind == TooManyCells.reason:
            return TooManyCells(count=defect.cell, columns=self._width)
        if not 0 <= defect.cell < self._width:
            return UndecodableBytes(field="", encoding=encoding, cell=defect.cell + 1)
        field = self._fields[defect.cell]
        if defect.kind == CellTooLong.reason:
            # Cut to the limit, it is as long as the limit.
            return CellTooLong(field=field, limit=len(self._cells[number * self._width + defect.cell]))
        return UndecodableBytes(field=field, encoding=encoding, cell=defect.cell + 1)

    def _value(self, cells: Sequence[str], field: str) -> str:
        place = self._at.get(field)
        return "" if place is None else cells[place][:MAX_VALUE_CHARACTERS]
