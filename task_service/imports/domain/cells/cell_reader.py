"""Reading of the cells that have a fixed set of values. The value depends only on the cell's text and the options."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from types import MappingProxyType
from uuid import UUID

from chassis.kernel.errors import Invalid
from task_service.csv_dialect.text import LABEL_SEPARATOR, split_labels
from task_service.imports.domain.cells.field_reader import (
    FieldReader,
    mapped_values,
    parse_assignee,
    parse_done,
    parse_due_date,
    parse_priority,
    parse_status,
)
from task_service.imports.domain.cells.label_cells import LabelCells, strip_color
from task_service.imports.domain.cells.row_cells import Cell
from task_service.imports.domain.cells.status_cells import StatusCells, StatusWords, combine_status, is_cancelling
from task_service.imports.domain.options.row_options import OnUnknownAssignee, OnUnknownDate, OnUnknownValue, RowOptions
from task_service.imports.domain.values.dates import DateParser, is_zero_date
from task_service.imports.domain.values.synonyms import (
    STATUS_WORDS,
    TRUTH_WORDS,
    asks_for_percentage,
    asks_for_truth,
)
from task_service.tasks.domain.values import Priority, Status

MAX_COLORED_LABELS = 1000
"""Maximum labels of a cell without their colours. A task has far fewer."""

_LATEST_TIME = datetime.max.replace(tzinfo=UTC)
_EARLIEST_COMPLETION = datetime(1900, 1, 1, tzinfo=UTC)


class CellReader:
    """Reader of status, priority, date and assignee cells, without neutralising apostrophes.

    Each method returns None for an empty cell, and for an unknown one that the options accept.
    """

    def __init__(
        self,
        options: RowOptions,
        status_column: str | None = None,
        assignees: Mapping[str, UUID] = MappingProxyType({}),
        *,
        now: datetime = _LATEST_TIME,
        done_has_times: bool = False,
    ) -> None:
        """Create a reader for the rows of one batch.

        `status_column` is the column that fills the status, `assignees` maps usernames and emails to ids, and `now` is
        the latest time of completion. `done_has_times` says that cells of done are read as times: the other texts of
        the column are no unknown cells.
        """
        self._now = now
        self._done_has_times = done_has_times
        self._has_status_column = status_column is not None
        self._label_separator = options.label_separator or LABEL_SEPARATOR
        self._strips_colors = bool(options.strip_label_colors)
        self.unknown_cells: set[tuple[str, Cell]] = set()
        """Fields and cells that were read so far, are unknown, and are accepted by the options."""
        words = STATUS_WORDS | TRUTH_WORDS if asks_for_truth(status_column or "") else STATUS_WORDS
        self._dates = dates = DateParser(options.date_format, options.date_order, options.time_zone)
        self._status = FieldReader(
            field="status",
            mapped=mapped_values(options, "status", Status),
            parse=partial(parse_status, words=words, has_sign=not asks_for_percentage(status_column or "")),
            unknown_cells=self.unknown_cells if options.on_unknown_status is OnUnknownValue.DEFAULT else None,
        )
        self._done = replace(self._status, field="done", parse=partial(parse_done, dates=dates))
        self._priority = FieldReader(
            field="priority",
            mapped=mapped_values(options, "priority", Priority),
            parse=parse_priority,
            unknown_cells=self.unknown_cells if options.on_unknown_priority is OnUnknownValue.DEFAULT else None,
        )
        self._due_date = FieldReader(
            field="due_date",
            mapped=mapped_values(options, "due_date", date.fromisoformat),
            parse=partial(parse_due_date, dates=dates),
            unknown_cells=self.unknown_cells if options.on_unknown_date is OnUnknownDate.EMPTY else None,
        )
        self._completed_at = FieldReader(
            field="completed_at", mapped={}, parse=dates.parse_moment, unknown_cells=self.unknown_cells
        )
        self._assignee = FieldReader(
            field="assignee",
            mapped={},
            parse=partial(parse_assignee, assignees=assignees),
            unknown_cells=self.unknown_cells if options.on_unknown_assignee is OnUnknownAssignee.LEAVE_EMPTY else None,
        )
        self._status_words = StatusWords(self._status.mapped, words)
        self._other_status_words = StatusWords(self._status.mapped)

    def status(self, cell: Cell, errors: list[Invalid]) -> Status | None:
        """Return the status of a status cell, or of StatusCells."""
        if isinstance(cell, str):
            return self._status.read(cell, errors)
        cells = StatusCells._make(cell)
        stated = self._status.read(cells.status, errors, key=cell)
        if stated is None:
            stated = self._other_status_words.find(cells.status_or_label).status
        status = combine_status(
            stated,
            # A text such as 3/5 says nothing about a status that another column states.
            self._done.read(cells.done, errors if stated is None else [], key=cell),
            has_completion_date=bool(cells.completed_at.strip()),
            has_status_column=self._has_status_column,
        )
        if status is Status.COMPLETED and is_cancelling(cells.resolution, self._status_words):
            return Status.CANCELLED
        return status

    def priority(self, cell: str, errors: list[Invalid]) -> Priority | None:
        return self._priority.read(cell, errors)

    def due_date(self, cell: Cell, errors: list[Invalid]) -> date | None:
        """Return the date of a date cell, or of DateCells, whose time zone replaces the one of the options."""
        text, zone = (cell, "") if isinstance(cell, str) else cell
        return self._due_date.read(text, errors, zone.strip(), key=cell)

    def completed_at(self, cell: Cell) -> datetime | None:
        """Return the time of a cell, or of DateCells, in UTC. A time before 1900 or after `now` is an unknown cell."""
        text, zone = (cell, "") if isinstance(cell, str) else cell
        if is_zero_date(text) or (self._done_has_times and not self._dates.is_date(text)):
            return None
        moment = self._completed_at.read(text, [], zone.strip(), key=cell)
        if moment is None or _EARLIEST_COMPLETION <= moment <= self._now:
            return moment
        self.unknown_cells.add((self._completed_at.field, cell))
        return None

    def assignee(self, cell: str, errors: list[Invalid]) -> UUID | None:
        return self._assignee.read(cell, errors)

    def labels(self, cell: Cell) -> tuple[str, ...]:
        """Return the labels of a cell, or of LabelCells as a flat tuple. The caller validates them."""
        if isinstance(cell, str):
            return self._split_labels(cell)
        status, status_or_label, title_labels, *cells = cell
        labels = LabelCells(status, status_or_label, title_labels, tuple(cells))
        return (
            *(label for text in labels.labels for label in self._split_labels(text)),
            *self._status_as_labels(labels),
            *labels.title_labels.split(),
        )

    def _split_labels(self, cell: str) -> tuple[str, ...]:
        labels = split_labels(cell, self._label_separator)
        if not self._strips_colors:
            return labels
        # A long cell may have many equal labels. So many different ones are an error, with or without their colours.
        labels = tuple(dict.fromkeys(labels))
        return tuple(map(strip_color, labels)) if len(labels) <= MAX_COLORED_LABELS else labels

    def _status_as_labels(self, cells: LabelCells) -> tuple[str, ...]:
        """Return the labels of the column status_or_label: none if its word gives the status."""
        found = self._other_status_words.find(cells.status_or_label)
        if found.is_known and (found.status is None or self._status_words.find(cells.status).status is None):
            return ()
        return split_labels(cells.status_or_label)
