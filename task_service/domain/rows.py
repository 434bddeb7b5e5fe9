"""Rows of an import become the values of tasks, or row errors, by the same rules as any other task's."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID

from chassis.kernel import Invalid, refuse
from task_service.domain import values as rules
from task_service.domain.csv_text import plain, split_labels
from task_service.domain.duplicates import KeyedRow, OnDuplicate
from task_service.domain.errors import UnknownAssignee
from task_service.domain.failed_rows import FailedRow, RowError
from task_service.domain.import_errors import CellTooLong, TooManyCells, UndecodableBytes
from task_service.domain.imports import Checkpoint, Defaults, IngestContext
from task_service.domain.task import TaskDraft, Values
from task_service.domain.values import LONGEST_DESCRIPTION, LONGEST_TITLE, LOST, UNSEEN

LONGEST_VALUE = 200
"""Characters of a rejected cell that are kept."""

ROWS_AT_A_TIME = 50
"""A fraction of a millisecond's work."""

# Of a title: it may be a mark of ours, or nothing that can be seen.
_ODD_BEGINNINGS = UNSEEN | {"'"}

Read = TypeVar("Read")


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
    """Judges every row, ROWS_AT_A_TIME by ROWS_AT_A_TIME, so that others can have their turn in between.

    `assignees` are the users whom the rows name, by the name that they give.
    """
    columns = _Columns(context.fields, batch.cells)
    quick_way = _QuickWay(context.defaults)
    drafts = enumerate(columns.drafts())
    place = 0
    while some := list(islice(drafts, ROWS_AT_A_TIME)):
        accepted: list[Values] = []
        failed: list[FailedRow] = []
        keyed: list[KeyedRow] = []
        for number, (raw, raw_rarer) in some:
            if number not in batch.defects and not any(raw_rarer) and (values := quick_way.values(*raw)):
                accepted.append(values)
                continue
            try:
                if number in batch.defects:
                    refuse([columns.error_of(number, defect, context.encoding) for defect in batch.defects[number]])
                cells, rarer = cast("Cells", tuple(map(plain, raw))), cast("Rarer", tuple(map(plain, raw_rarer)))
                values = _judged(cells, rarer, context.defaults, assignees)
            except Invalid as error:
                failed.append(columns.failed(batch, number, error))
                continue
            if values.external_id:
                changes = _said(values, cells, rarer, context) if context.on_duplicate is OnDuplicate.UPDATE else {}
                keyed.append(KeyedRow(place + len(accepted), number, values, changes))
            accepted.append(values)
        place += len(accepted)
        yield Outcome(accepted, failed, keyed)


def failed_row(batch: Batch, context: IngestContext, number: int, error: Invalid) -> FailedRow:
    """A row of the batch with what was found to be wrong with it."""
    return _Columns(context.fields, batch.cells).failed(batch, number, error)


class _Readings(dict[str, Read]):
    """What a rule makes of a column's cells, each different one read once: a batch has few of them.

    Looking up a cell that the rule refuses raises KeyError.
    """

    def __init__(self, rule: Callable[[str, list[Invalid]], Read]) -> None:
        self._rule = rule

    def __missing__(self, cell: str) -> Read:
        wrong: list[Invalid] = []
        value = self._rule(cell, wrong)
        if wrong:
            raise KeyError(cell)
        self[cell] = value
        return value


class _QuickWay:
    """Judges a row that is as nearly every row is.

    It runs once for every row of every import, and takes a fraction of the time that the rules take: they collect all
    that is wrong. What it accepts they accept, with the same values; a test holds the two together.
    """

    def __init__(self, defaults: Defaults) -> None:
        self._statuses = _Readings(lambda cell, wrong: rules.status(cell.strip() or defaults.status, wrong))
        self._priorities = _Readings(rules.priority)
        self._dates = _Readings(rules.due_date)
        self._rest = (tuple(defaults.labels), "", defaults.assignee_id)

    def values(self, title: str, description: str, status: str, priority: str, due_date: str) -> Values | None:
        """The values; None for a row that takes the whole rules to judge."""
        title = title.strip()
        if (
            title
            and title[0] not in _ODD_BEGINNINGS
            and len(title) <= LONGEST_TITLE
            and title.isprintable()
            and LOST not in title
            and description[:1] != "'"
            and len(description) <= LONGEST_DESCRIPTION
            and ((description.isprintable() and LOST not in description) or _is_right(rules.description, description))
        ):
            try:
                return Values(
                    title,
                    description,
                    self._statuses[status],
                    self._priorities[priority],
                    self._dates[due_date],
                    *self._rest,
                )
            except KeyError:
                return None
        return None


def _is_right(rule: Callable[[str, list[Invalid]], object], cell: str) -> bool:
    wrong: list[Invalid] = []
    rule(cell, wrong)
    return not wrong


Cells = tuple[str, str, str, str, str]
Rarer = tuple[str, str, str]


def _judged(cells: Cells, rarer: Rarer, defaults: Defaults, assignees: Mapping[str, UUID]) -> Values:
    """The values of a row, whose cells are plain, or all that is wrong with it."""
    title, description, status, priority, due_date = cells
    labels, external_id, assignee = rarer
    name = assignee.strip()
    assignee_id = assignees.get(name) if name else defaults.assignee_id
    nobody = [UnknownAssignee(field="assignee")] if name and assignee_id is None else []
    draft = TaskDraft(
        title,
        description,
        status.strip() or defaults.status,
        priority,
        due_date,
        external_id,
        str(assignee_id or ""),
        split_labels(labels) or tuple(defaults.labels),
    )
    try:
        values = draft.checked()
    except Invalid as error:
        refuse([*error.violations, *nobody])
        raise
    refuse(nobody)
    return values


def _said(values: Values, cells: Cells, rarer: Rarer, context: IngestContext) -> dict[str, Any]:
    """What a row says of a task that is there already: something of each field for which the file has a column.

    An empty cell empties the field. A task always has a status and a priority: an empty cell leaves them as they are.
    """
    _, _, status, priority, _ = cells
    labels, _, assignee = rarer
    said = {"assignee_id" if field == "assignee" else field for field in context.fields} - {"", "external_id"}
    said -= {name for name, cell in (("status", status), ("priority", priority)) if not cell.strip()}
    # The values have the defaults there, which are for new tasks alone.
    empty: dict[str, Any] = {} if split_labels(labels) else {"labels": ()}
    empty |= {} if assignee.strip() else {"assignee_id": None}
    return {name: empty.get(name, getattr(values, name)) for name in said}


class _Columns:
    """The cells of a batch by column. One that the file lacks is empty in every row."""

    def __init__(self, fields: tuple[str, ...], cells: Sequence[str]) -> None:
        self._fields = fields
        self._at = {field: place for place, field in enumerate(fields) if field}
        self._width = len(fields)
        self._cells = cells

    def drafts(self) -> Iterator[tuple[Cells, Rarer]]:
        """What each row says in the columns that nearly every file has, and in the rarer ones."""
        title, description, status, priority, due_date = map(self._column, Values._fields[:5])
        labels, external_id, assignee = map(self._column, ("labels", "external_id", "assignee"))
        return zip(
            zip(title, description, status, priority, due_date, strict=False),
            zip(labels, external_id, assignee, strict=False),
            strict=False,
        )

    def _column(self, field: str) -> Iterable[str]:
        place = self._at.get(field)
        return repeat("") if place is None else self._cells[place :: self._width]

    def failed(self, batch: Batch, number: int, error: Invalid) -> FailedRow:
        record, line = batch.begin.records + number + 1, batch.lines[number]
        row = list(self._cells[number * self._width : (number + 1) * self._width])
        row += [defect.surplus for defect in batch.defects.get(number, ()) if defect.surplus]
        # Postgres can't hold NUL. What stands for it is refused as well, should the row come back as it is.
        cells = tuple(cell.replace("\0", LOST) for cell in row)
        errors = (
            RowError(record, line, wrong.field, self._value(cells, wrong.field), wrong.reason, wrong.message)
            for wrong in error.violations
        )
        return FailedRow(record, line, cells, tuple(errors))

    def error_of(self, number: int, defect: Defect, encoding: str) -> Invalid:
        """What the parser found wrong with a row."""
        if defect.kind == TooManyCells.reason:
            return TooManyCells(count=defect.cell, columns=self._width)
        if not 0 <= defect.cell < self._width:
            return UndecodableBytes(field="", encoding=encoding)
        field = self._fields[defect.cell]
        if defect.kind == CellTooLong.reason:
            # Cut to the limit, it is as long as the limit.
            return CellTooLong(field=field, limit=len(self._cells[number * self._width + defect.cell]))
        return UndecodableBytes(field=field, encoding=encoding)

    def _value(self, cells: Sequence[str], field: str) -> str:
        place = self._at.get(field)
        return "" if place is None else cells[place][:LONGEST_VALUE]
