"""Rows of an import become tasks, or row errors. The values meet the same rules as any other task's."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple
from uuid import UUID

from chassis.kernel import Invalid, NewId, refuse
from task_service.domain.csv_text import plain
from task_service.domain.errors import ExternalIdTaken, TooManyCells, UndecodableBytes, UnknownAssignee
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


class Known(NamedTuple):
    """What is known of the world outside the file, as far as the batch names it."""

    assignees: Mapping[str, UUID] = {}
    """Users by the name that a row gives."""
    external_ids: AbstractSet[str] = frozenset()
    """Those that the owner's live tasks have already."""


def named(batch: Batch, fields: Sequence[str], field: str) -> set[str]:
    """What the rows say in a column, each value once; nothing where the file has no such column."""
    if field not in fields:
        return set()
    return {cell.strip() for cell in batch.cells[fields.index(field) :: len(fields)]} - {""}


def take(batch: Batch, context: IngestContext, known: Known, *, new_id: NewId) -> Outcome:
    """Turns every row into a task with its first event, or into what is wrong with it."""
    places = _Places(context.fields, known.assignees)
    taken = set(known.external_ids)
    width = len(context.fields)
    cells = batch.cells
    outcome = Outcome([], [], [])
    for number, line in enumerate(batch.lines):
        row = cells[number * width : (number + 1) * width]
        try:
            if number in batch.defects:
                refuse([_error_of(defect, context.fields) for defect in batch.defects[number]])
            values = places.draft(row).checked()
            if values.external_id in taken:
                raise ExternalIdTaken
        except Invalid as error:
            outcome.failed.append(places.failed(row, batch.begin.records + number + 1, line, error))
            continue
        task = new_task(values, task_id=new_id(), owner_id=context.owner_id, import_id=context.import_id)
        if values.external_id:
            taken.add(values.external_id)
        outcome.tasks.append(task)
        outcome.events.append(created(task, by=context.actor, event_id=new_id()))
    return outcome


class _Places:
    """Where each field stands in a row; a column that the file lacks is empty in every row."""

    def __init__(self, fields: tuple[str, ...], assignees: Mapping[str, UUID]) -> None:
        self._at = {field: place for place, field in enumerate(fields) if field}
        self._columns = tuple(self._at.get(field, -1) for field in TaskDraft._fields[:6])
        self._labels = self._at.get("labels", -1)
        self._assignee = self._at.get("assignee", -1)
        self._assignees = assignees

    def draft(self, row: Sequence[str]) -> TaskDraft:
        """What the row says. UnknownAssignee for the name of nobody."""
        title, description, *texts = ("" if place < 0 else row[place] for place in self._columns)
        labels: tuple[str, ...] = ()
        if self._labels >= 0 and row[self._labels]:
            labels = tuple(label for label in row[self._labels].split(",") if not label.isspace() and label)
        return TaskDraft._make([plain(title), plain(description), *texts, self._assignee_id(row), labels, ""])

    def _assignee_id(self, row: Sequence[str]) -> str:
        name = row[self._assignee].strip() if self._assignee >= 0 else ""
        if not name:
            return ""
        if name not in self._assignees:
            raise UnknownAssignee(field="assignee")
        return str(self._assignees[name])

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
