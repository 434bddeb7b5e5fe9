"""Reading of the cells that have a fixed set of values. The value depends only on the cell's text and the options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Generic, TypeVar
from uuid import UUID

from chassis.kernel.errors import Invalid
from task_service.csv_dialect.text import LABEL_SEPARATOR, split_labels
from task_service.imports.domain.cells.assignees import assignee_candidates
from task_service.imports.domain.cells.label_cells import LabelCells, strip_color
from task_service.imports.domain.cells.row_cells import Cell
from task_service.imports.domain.cells.status_cells import (
    StatusCells,
    StatusWords,
    combine_status,
    find_done_status,
    is_cancelling,
)
from task_service.imports.domain.options.row_options import OnUnknownAssignee, OnUnknownDate, OnUnknownValue, RowOptions
from task_service.imports.domain.options.value_mapping import example_mapping, mapping_key
from task_service.imports.domain.quoting import quote
from task_service.imports.domain.values.dates import DateParser
from task_service.imports.domain.values.errors import UnknownAssignee, UnknownPriority, UnknownStatus
from task_service.imports.domain.values.synonyms import (
    MAX_WORD_CHARACTERS,
    PRIORITY_WORDS,
    STATUS_WORDS,
    TRUTH_WORDS,
    asks_for_truth,
    find_percentage,
    find_word,
)
from task_service.tasks.domain.values import Priority, Status

MAX_COLORED_LABELS = 1000
"""Maximum labels of a cell without their colours. A task has far fewer."""

_LATEST_TIME = datetime.max.replace(tzinfo=UTC)
_EARLIEST_COMPLETION = datetime(1900, 1, 1, tzinfo=UTC)

Value = TypeVar("Value")


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
    ) -> None:
        """Create a reader for the rows of one batch.

        `status_column` is the column that fills the status, `assignees` maps usernames and emails to ids, and `now` is
        the latest time of completion.
        """
        self._now = now
        self._has_status_column = status_column is not None
        statuses = STATUS_WORDS | TRUTH_WORDS if asks_for_truth(status_column or "") else STATUS_WORDS
        dates = DateParser(options.date_format, options.date_order, options.time_zone)
        mapped = options.value_mapping
        self._status = _FieldReader(
            field="status",
            mapped=_mapped_values(mapped, "status", Status),
            read=lambda word: find_percentage(word) or _find(word, statuses, UnknownStatus),
            accepts_unknown=options.on_unknown_status is OnUnknownValue.DEFAULT,
        )
        self._status_words = StatusWords(self._status.mapped, statuses)
        self._other_status_words = StatusWords(self._status.mapped)
        self._done = replace(self._status, field="done", read=lambda word: _find_done(word, dates))
        self._priority = _FieldReader(
            field="priority",
            mapped=_mapped_values(mapped, "priority", Priority),
            read=lambda word: _find(word, PRIORITY_WORDS, UnknownPriority),
            accepts_unknown=options.on_unknown_priority is OnUnknownValue.DEFAULT,
        )
        self._due_date = _FieldReader(
            field="due_date",
            mapped=_mapped_values(mapped, "due_date", date.fromisoformat),
            read=dates.parse,
            accepts_unknown=options.on_unknown_date is OnUnknownDate.EMPTY,
        )
        self._completed_at = _FieldReader(
            field="completed_at",
            mapped={},
            read=dates.parse_moment,
            accepts_unknown=True,
        )
        self._assignee = _FieldReader(
            field="assignee",
            mapped={},
            read=lambda name: _find_assignee(name, assignees),
            accepts_unknown=options.on_unknown_assignee is OnUnknownAssignee.LEAVE_EMPTY,
        )
        self._label_separator = options.label_separator or LABEL_SEPARATOR
        self._strips_colors = bool(options.strip_label_colors)
        self.unknown_cells: set[tuple[str, Cell]] = set()
        """Fields and cells that were read so far, are unknown, and are accepted by the options."""

    def status(self, cell: Cell, errors: list[Invalid]) -> Status | None:
        """Return the status of a status cell, or of StatusCells."""
        if isinstance(cell, str):
            return self._read(self._status, cell, errors)
        cells = StatusCells._make(cell)
        stated = self._read(self._status, cells.status, errors, key=cell)
        if stated is None:
            stated = self._other_status_words.find(cells.status_or_label).status
        status = combine_status(
            stated,
            # A text such as 3/5 says nothing about a status that another column states.
            self._read(self._done, cells.done, errors if stated is None else [], key=cell),
            has_completion_date=bool(cells.completed_at.strip()),
            has_status_column=self._has_status_column,
        )
        if status is Status.COMPLETED and is_cancelling(cells.resolution, self._status_words):
            return Status.CANCELLED
        return status

    def priority(self, cell: str, errors: list[Invalid]) -> Priority | None:
        return self._read(self._priority, cell, errors)

    def due_date(self, cell: Cell, errors: list[Invalid]) -> date | None:
        """Return the date of a date cell, or of DateCells, whose time zone replaces the one of the options."""
        text, zone = (cell, "") if isinstance(cell, str) else cell
        return self._read(self._due_date, text, errors, zone.strip(), key=cell)

    def completed_at(self, cell: Cell) -> datetime | None:
        """Return the time of a cell, or of DateCells, in UTC. A time before 1900 or after `now` is an unknown cell."""
        text, zone = (cell, "") if isinstance(cell, str) else cell
        moment = self._read(self._completed_at, text, [], zone.strip(), key=cell)
        if moment is None or _EARLIEST_COMPLETION <= moment <= self._now:
            return moment
        self.unknown_cells.add((self._completed_at.field, cell))
        return None

    def assignee(self, cell: str, errors: list[Invalid]) -> UUID | None:
        return self._read(self._assignee, cell, errors)

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

    def _read(
        self,
        reader: "_FieldReader[Value]",
        cell: str,
        errors: list[Invalid],
        *arguments: str,
        key: Cell | None = None,
    ) -> Value | None:
        """Return the value of a cell. `key` has the cells of all columns that fill the field, if there are several."""
        text = cell.strip()
        if not text:
            return None
        if reader.mapped and len(text) <= MAX_WORD_CHARACTERS and (word := mapping_key(text)) in reader.mapped:
            return reader.mapped[word]
        try:
            return reader.read(text, *arguments)
        except Invalid as error:
            if reader.accepts_unknown:
                self.unknown_cells.add((reader.field, key or cell))
            else:
                error.field = reader.field  # several fields have dates
                errors.append(error)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _FieldReader(Generic[Value]):
    """Reader of one field: the texts of the option value_mapping go first."""

    field: str
    mapped: Mapping[str, Value | None]
    read: Callable[..., Value]
    """Raises Invalid for an unknown text."""
    accepts_unknown: bool


def _mapped_values(
    mapping: Mapping[str, Mapping[str, str]], field: str, parse: Callable[[str], Value]
) -> Mapping[str, Value | None]:
    return {key: parse(value) if value else None for key, value in mapping.get(field, {}).items()}


def _find(word: str, words: Mapping[str, Value], error: type[Invalid]) -> Value:
    value = find_word(word, words)
    if value is None:
        raise error(word=quote(word), mapping=example_mapping(error.field, word))
    return value


def _find_done(word: str, dates: DateParser) -> Status:
    status = find_done_status(word, dates)
    if status is None:
        raise UnknownStatus(word=quote(word), mapping=example_mapping("status", word))
    return status


def _find_assignee(name: str, assignees: Mapping[str, UUID]) -> UUID:
    for candidate in assignee_candidates(name):
        if candidate in assignees:
            return assignees[candidate]
    raise UnknownAssignee(name=quote(name))
