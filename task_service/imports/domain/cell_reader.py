"""Reading of the cells that have a fixed set of values. The value depends only on the cell's text and the options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Generic, TypeVar
from uuid import UUID

from chassis.kernel.errors import Invalid
from task_service.csv_dialect.text import LABEL_SEPARATOR, split_labels
from task_service.imports.domain.dates import DateParser
from task_service.imports.domain.value_errors import (
    CompletionTimeOutOfRange,
    UnknownAssignee,
    UnknownPriority,
    UnknownStatus,
)
from task_service.imports.domain.value_options import (
    OnUnknownAssignee,
    OnUnknownDate,
    OnUnknownValue,
    ValueOptions,
    mapping_key,
)
from task_service.imports.domain.value_synonyms import (
    MAX_WORD_CHARACTERS,
    PRIORITY_WORDS,
    STATUS_WORDS,
    TRUTH_WORDS,
    asks_for_truth,
    word_key,
)
from task_service.tasks.domain.values import Priority, Status

MAX_QUOTED_CHARACTERS = 40
"""Maximum characters of a cell in an error message."""

_EARLIEST_COMPLETION = datetime(1900, 1, 1, tzinfo=UTC)

Value = TypeVar("Value")


class CellReader:
    """Reader of status, priority, date and assignee cells, without neutralising apostrophes.

    Each method returns None for an empty cell, and for an unknown one that the options accept.
    """

    def __init__(
        self, options: ValueOptions, status_column: str = "", assignees: Mapping[str, UUID] = MappingProxyType({})
    ) -> None:
        """`status_column` is the column that fills the status, `assignees` maps usernames and emails to ids."""
        statuses = STATUS_WORDS | TRUTH_WORDS if asks_for_truth(status_column) else STATUS_WORDS
        dates = DateParser(options.date_format, options.date_order, options.time_zone)
        mapped = options.value_mapping
        self._status = _FieldReader(
            field="status",
            mapped=_mapped_values(mapped, "status", Status),
            read=lambda word: _find(word, statuses, UnknownStatus),
            accepts_unknown=options.on_unknown_status is OnUnknownValue.DEFAULT,
        )
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
            accepts_unknown=options.on_unknown_date is OnUnknownDate.EMPTY,
        )
        self._assignee = _FieldReader(
            field="assignee",
            mapped={},
            read=lambda name: _find_assignee(name, assignees),
            accepts_unknown=options.on_unknown_assignee is OnUnknownAssignee.LEAVE_EMPTY,
        )
        self._label_separator = options.label_separator or LABEL_SEPARATOR
        self.unknown_cells: set[tuple[str, str]] = set()
        """Fields and cells that were read so far, are unknown, and are accepted by the options."""

    def status(self, cell: str, errors: list[Invalid]) -> Status | None:
        return self._read(self._status, cell, errors)

    def priority(self, cell: str, errors: list[Invalid]) -> Priority | None:
        return self._read(self._priority, cell, errors)

    def due_date(self, cell: str, errors: list[Invalid], zone: str = "") -> date | None:
        """Return the date of a cell. `zone` is the time zone of the row, which replaces the one of the options."""
        return self._read(self._due_date, cell, errors, zone)

    def completed_at(self, cell: str, errors: list[Invalid], now: datetime) -> datetime | None:
        """Return the moment of a cell, in UTC. A moment before 1900 or after `now` is an error."""
        moment = self._read(self._completed_at, cell, errors)
        if moment is None or _EARLIEST_COMPLETION <= moment <= now:
            return moment
        errors.append(CompletionTimeOutOfRange(text=repr(cell.strip()[:MAX_QUOTED_CHARACTERS])))
        return None

    def assignee(self, cell: str, errors: list[Invalid]) -> UUID | None:
        return self._read(self._assignee, cell, errors)

    def labels(self, cell: str) -> tuple[str, ...]:
        """Return the labels of a cell, which the caller validates."""
        return split_labels(cell, self._label_separator)

    def _read(self, reader: "_FieldReader[Value]", cell: str, errors: list[Invalid], *arguments: str) -> Value | None:
        text = cell.strip()
        if not text:
            return None
        if reader.mapped and len(text) <= MAX_WORD_CHARACTERS and (key := mapping_key(text)) in reader.mapped:
            return reader.mapped[key]
        try:
            return reader.read(text, *arguments)
        except Invalid as error:
            if reader.accepts_unknown:
                self.unknown_cells.add((reader.field, cell))
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
    value = words.get(word_key(word))
    if value is None:
        raise error(word=repr(word[:MAX_QUOTED_CHARACTERS]))
    return value


def _find_assignee(name: str, assignees: Mapping[str, UUID]) -> UUID:
    if name not in assignees:
        raise UnknownAssignee(name=repr(name[:MAX_QUOTED_CHARACTERS]))
    return assignees[name]
