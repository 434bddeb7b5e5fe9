"""Fast path: parsing of rows that are certainly valid.

It runs for every row of every import and takes a fraction of the time of the full validation. Only the full validation
collects errors. A row that passes here also passes the full validation with the same values; a test checks this.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar
from unicodedata import is_normalized
from uuid import UUID

from chassis.kernel.errors import Invalid
from chassis.kernel.quoting import INVISIBLE_CHARACTERS
from task_service.csv_dialect.text import unescape_formula
from task_service.imports.domain.cells.cell_reader import CellReader
from task_service.imports.domain.cells.field_cells import plain_cell
from task_service.imports.domain.cells.row_cells import Cell
from task_service.imports.domain.imports import Defaults
from task_service.tasks.domain import values as rules
from task_service.tasks.domain.task import Values
from task_service.tasks.domain.values import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_EXTERNAL_ID_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    REPLACEMENT_CHARACTER,
    Priority,
    Status,
)

# Titles that start with a neutralising apostrophe or an invisible character need the full validation.
_SPECIAL_FIRST_CHARACTERS = INVISIBLE_CHARACTERS | {"'"}

Key = TypeVar("Key", bound=Cell)
Parsed = TypeVar("Parsed")


class FastRowParser:
    """Parser for the rows of one batch."""

    def __init__(self, reader: CellReader, defaults: Defaults) -> None:
        self._reader = reader
        self._defaults = defaults
        self._statuses = _ParsedCells(self._parse_status)
        self._priorities = _ParsedCells(self._parse_priority)
        self._dates = _ParsedCells(self._parse_due_date)
        self._labels = _ParsedCells(self._parse_labels)
        self._assignees = _ParsedCells(self._parse_assignee)
        self._completion_times = _ParsedCells(self._parse_completed_at)

    def values(
        self,
        title: str,
        description: str,
        status: Cell,
        priority: str,
        due_date: Cell,
        labels: Cell,
        external_id: str,
        assignee: str,
        completed_at: Cell = "",
    ) -> Values | None:
        """Return the values of a row; None if it needs the full validation."""
        title = title.strip()
        if (
            title
            and title[0] not in _SPECIAL_FIRST_CHARACTERS
            and len(title) <= MAX_TITLE_CHARACTERS
            and title.isprintable()
            and REPLACEMENT_CHARACTER not in title
            and description[:1] != "'"
            and len(description) <= MAX_DESCRIPTION_CHARACTERS
            and (
                (description.isprintable() and REPLACEMENT_CHARACTER not in description)
                or _is_valid(rules.validate_description, description)
            )
            and (not external_id or _is_plain_external_id(external_id))
        ):
            try:
                found = self._statuses[status]
                return Values(
                    title,
                    description,
                    found,
                    self._priorities[priority],
                    self._dates[due_date],
                    self._labels[labels],
                    external_id.strip(),
                    self._assignees[assignee],
                    self._completion_times[completed_at] if completed_at and found is Status.COMPLETED else None,
                )
            except KeyError:
                return None
        return None

    def _parse_status(self, cell: Cell, errors: list[Invalid]) -> Status:
        return self._reader.status(plain_cell(cell), errors) or self._defaults.initial_status

    def _parse_priority(self, cell: str, errors: list[Invalid]) -> Priority:
        return self._reader.priority(unescape_formula(cell), errors) or Priority.NONE

    def _parse_due_date(self, cell: Cell, errors: list[Invalid]) -> date | None:
        return self._reader.due_date(plain_cell(cell), errors)

    def _parse_labels(self, cell: Cell, errors: list[Invalid]) -> tuple[str, ...]:
        return rules.validate_labels(self._reader.labels(plain_cell(cell)) or self._defaults.labels, errors)

    def _parse_assignee(self, cell: str, errors: list[Invalid]) -> UUID | None:
        return self._reader.assignee(unescape_formula(cell), errors) or self._defaults.assignee_id

    def _parse_completed_at(self, cell: Cell, _: list[Invalid]) -> datetime | None:
        return self._reader.completed_at(plain_cell(cell))


class _ParsedCells(dict[Key, Parsed]):
    """Cache of a column's parsed cells: a batch has few distinct ones.

    A lookup of an invalid cell raises KeyError.
    """

    def __init__(self, rule: Callable[[Key, list[Invalid]], Parsed]) -> None:
        self._rule = rule

    def __missing__(self, cell: Key) -> Parsed:
        errors: list[Invalid] = []
        value = self._rule(cell, errors)
        if errors:
            raise KeyError(cell)
        self[cell] = value
        return value


def _is_valid(rule: Callable[[str, list[Invalid]], object], cell: str) -> bool:
    errors: list[Invalid] = []
    rule(cell, errors)
    return not errors


def _is_plain_external_id(external_id: str) -> bool:
    return (
        external_id[0] != "'"
        and len(external_id) <= MAX_EXTERNAL_ID_CHARACTERS
        and external_id.isprintable()
        and (external_id.isascii() or is_normalized("NFC", external_id))
        and REPLACEMENT_CHARACTER not in external_id
    )
