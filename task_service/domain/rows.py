"""Rows of an import become tasks, or row errors. The values meet the same rules as any other task's."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from chassis.kernel import Invalid, NewId, refuse
from task_service.domain.csv_text import plain
from task_service.domain.errors import TooManyCells, UndecodableBytes
from task_service.domain.history import TaskEvent, created
from task_service.domain.imports import Checkpoint, FailedRow, IngestContext, RowError
from task_service.domain.task import Task, TaskDraft, new_task

LONGEST_VALUE = 200
"""Characters of a rejected cell that are kept."""


class Defect(NamedTuple):
    """A record that the parser could not hand over as it stands in the file."""

    kind: str
    """TOO_MANY_CELLS or UNDECODABLE."""
    cell: int
    """How many cells there are, or which one can't be decoded, from 0."""


class Batch(NamedTuple):
    """Consecutive records: cells record after record, and the line each record begins at."""

    begin: Checkpoint
    end: Checkpoint
    lines: Sequence[int]
    cells: Sequence[str]
    defects: Mapping[int, Sequence[Defect]]
    """By the row's place in the batch, from 0."""


class Outcome(NamedTuple):
    """What became of a batch."""

    tasks: list[Task]
    events: list[TaskEvent]
    failed: list[FailedRow]


def take(batch: Batch, context: IngestContext, *, now: datetime, new_id: NewId) -> Outcome:
    """Turns every row into a task with its first event, or into what is wrong with it."""
    places = _Places(context.fields)
    width = len(context.fields)
    cells = batch.cells
    outcome = Outcome([], [], [])
    for number, line in enumerate(batch.lines):
        row = cells[number * width : (number + 1) * width]
        try:
            if number in batch.defects:
                refuse([_error_of(defect, context.fields) for defect in batch.defects[number]])
            values = places.draft(row).checked()
        except Invalid as error:
            outcome.failed.append(places.failed(row, batch.begin.records + number + 1, line, error))
            continue
        task = new_task(values, task_id=new_id(), owner_id=context.owner_id, now=now, import_id=context.import_id)
        outcome.tasks.append(task)
        outcome.events.append(created(task, by=context.actor, event_id=new_id()))
    return outcome


class _Places:
    """Where each field stands in a row; a column that the file lacks is empty in every row."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._at = {field: place for place, field in enumerate(fields) if field}
        self._columns = tuple(self._at.get(field, -1) for field in TaskDraft._fields[:5])

    def draft(self, row: Sequence[str]) -> TaskDraft:
        title, description, *others = ("" if place < 0 else row[place] for place in self._columns)
        return TaskDraft._make([plain(title), plain(description), *others, None])

    def failed(self, row: Sequence[str], record: int, line: int, error: Invalid) -> FailedRow:
        # Postgres can't hold NUL, and this is only shown.
        cells = tuple(cell.replace("\0", "\N{SYMBOL FOR NULL}") for cell in row)
        errors = (
            RowError(record, line, wrong.field, self._value(cells, wrong.field), wrong.reason, wrong.message)
            for wrong in error.violations
        )
        return FailedRow(record, line, cells, tuple(errors))

    def _value(self, cells: Sequence[str], field: str) -> str:
        place = self._at.get(field)
        return "" if place is None else cells[place][:LONGEST_VALUE]


def _error_of(defect: Defect, fields: tuple[str, ...]) -> Invalid:
    if defect.kind == TooManyCells.reason:
        return TooManyCells(count=defect.cell, columns=len(fields))
    field = fields[defect.cell] if defect.cell < len(fields) else ""
    return UndecodableBytes(field=field)
