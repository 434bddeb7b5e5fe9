"""Reading of one field with a fixed set of values: the texts of the option value_mapping, then the known words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar
from uuid import UUID

from chassis.kernel.errors import Invalid
from chassis.kernel.quoting import quote
from task_service.imports.domain.cells.assignees import assignee_candidates
from task_service.imports.domain.cells.row_cells import Cell
from task_service.imports.domain.cells.status_cells import find_done_status
from task_service.imports.domain.options.row_options import RowOptions
from task_service.imports.domain.options.value_mapping import example_mapping, find_mapped_key
from task_service.imports.domain.values.dates import DateParser, is_zero_date
from task_service.imports.domain.values.errors import UnknownAssigneeCell, UnknownPriorityCell, UnknownStatusCell
from task_service.imports.domain.values.synonyms import PRIORITY_WORDS, find_percentage, find_word
from task_service.tasks.domain.values import Priority, Status, parse_date

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldReader(Generic[Value]):
    """Reader of the cells of one field, without neutralising apostrophes."""

    field: str
    mapped: Mapping[str, Value | None]
    """Values of the option value_mapping, by keys."""
    parse: Callable[..., Value | None]
    """Raises Invalid for an unknown text."""
    unknown_cells: set[tuple[str, Cell]] | None
    """Set that gets the field and the cell of each unknown text. None: an unknown text is an error."""

    def read(self, cell: str, errors: list[Invalid], *arguments: str, key: Cell | None = None) -> Value | None:
        """Return the value of a cell; None for an empty one. `arguments` are further ones for `parse`.

        `key` has the cells of all columns that fill the field, if there are several.
        """
        text = cell.strip()
        if not text:
            return None
        if self.mapped and (mapped_key := find_mapped_key(self.mapped, text)):
            return self.mapped[mapped_key]
        try:
            return self.parse(text, *arguments)
        except Invalid as error:
            if self.unknown_cells is not None:
                self.unknown_cells.add((self.field, key or cell))
            else:
                error.field = self.field  # several fields have dates
                errors.append(error)
        return None


def mapped_values(options: RowOptions, field: str, parse: Callable[[str], Value]) -> Mapping[str, Value | None]:
    """Return the values of a field in the option value_mapping, by keys."""
    return {key: parse(value) if value else None for key, value in options.value_mapping.get(field, {}).items()}


def parse_status(word: str, words: Mapping[str, Status], *, has_sign: bool = True) -> Status:
    """Return the status of a word or of a progress, which has no sign in a column such as % Complete."""
    return find_percentage(word, has_sign=has_sign) or _find(word, words, UnknownStatusCell)


def parse_done(word: str, dates: DateParser) -> Status:
    """Return the status of a text in a column such as Done."""
    status = find_done_status(word, dates)
    if status is None:
        raise UnknownStatusCell(word=quote(word), mapping=example_mapping("status", word))
    return status


def parse_priority(word: str) -> Priority:
    return _find(word, PRIORITY_WORDS, UnknownPriorityCell)


def parse_due_date(text: str, zone: str = "", *, dates: DateParser) -> date | None:
    """Return the due date of a text; None for a zero date, unless it has the form of the API."""
    return None if is_zero_date(text) and not parse_date(text) else dates.parse(text, zone)


def parse_assignee(name: str, assignees: Mapping[str, UUID]) -> UUID:
    """Return the id of a user. `assignees` has the ids by usernames and emails."""
    for candidate in assignee_candidates(name):
        if candidate in assignees:
            return assignees[candidate]
    raise UnknownAssigneeCell(name=quote(name))


def _find(word: str, words: Mapping[str, Value], error: type[Invalid]) -> Value:
    value = find_word(word, words)
    if value is None:
        raise error(word=quote(word), mapping=example_mapping(error.field, word))
    return value
