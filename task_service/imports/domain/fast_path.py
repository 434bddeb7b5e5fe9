"""Fast path: parsing of rows that are certainly valid.

It runs for every row of every import, in a fraction of the time of the full validation, which collects all errors. A
row that passes here also passes the full validation with the same values; a test checks this.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar
from uuid import UUID

from chassis.kernel.errors import Invalid
from task_service.csv_dialect.text import split_labels, unescape_formula
from task_service.imports.domain.imports import Defaults
from task_service.tasks.domain import values as rules
from task_service.tasks.domain.task import Values
from task_service.tasks.domain.values import (
    INVISIBLE_CHARACTERS,
    MAX_DESCRIPTION_CHARACTERS,
    MAX_EXTERNAL_ID_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    REPLACEMENT_CHARACTER,
)

# First characters of a title that need the full validation: a neutralising apostrophe, or an invisible character.
_ODD_BEGINNINGS = INVISIBLE_CHARACTERS | {"'"}

Read = TypeVar("Read")


class FastRowParser:
    """Parser for the rows of one batch."""

    def __init__(self, defaults: Defaults, assignees: Mapping[str, UUID]) -> None:
        self._defaults = defaults
        self._named = assignees
        self._statuses = _Readings(lambda cell, wrong: rules.validate_status(cell.strip() or defaults.status, wrong))
        self._priorities = _Readings(rules.validate_priority)
        self._dates = _Readings(rules.validate_due_date)
        self._labels = _Readings(self._read_labels)
        self._assignees = _Readings(self._read_assignee)

    def values(
        self,
        title: str,
        description: str,
        status: str,
        priority: str,
        due_date: str,
        labels: str,
        external_id: str,
        assignee: str,
    ) -> Values | None:
        """Return the values of a row; None if it needs the full validation."""
        title = title.strip()
        if (
            title
            and title[0] not in _ODD_BEGINNINGS
            and len(title) <= MAX_TITLE_CHARACTERS
            and title.isprintable()
            and REPLACEMENT_CHARACTER not in title
            and description[:1] != "'"
            and len(description) <= MAX_DESCRIPTION_CHARACTERS
            and (
                (description.isprintable() and REPLACEMENT_CHARACTER not in description)
                or _is_right(rules.validate_description, description)
            )
            and (not external_id or _is_usual(external_id))
        ):
            try:
                return Values(
                    title,
                    description,
                    self._statuses[status],
                    self._priorities[priority],
                    self._dates[due_date],
                    self._labels[labels],
                    external_id.strip(),
                    self._assignees[assignee],
                )
            except KeyError:
                return None
        return None

    def _read_labels(self, cell: str, wrong: list[Invalid]) -> tuple[str, ...]:
        return rules.validate_labels(split_labels(unescape_formula(cell)) or self._defaults.labels, wrong)

    def _read_assignee(self, cell: str, _wrong: list[Invalid]) -> UUID | None:
        name = unescape_formula(cell).strip()
        return self._named[name] if name else self._defaults.assignee_id


class _Readings(dict[str, Read]):
    """Cache of a column's parsed cells: a batch has few distinct ones.

    A lookup of an invalid cell raises KeyError.
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


def _is_right(rule: Callable[[str, list[Invalid]], object], cell: str) -> bool:
    wrong: list[Invalid] = []
    rule(cell, wrong)
    return not wrong


def _is_usual(external_id: str) -> bool:
    return (
        external_id[0] != "'"
        and len(external_id) <= MAX_EXTERNAL_ID_CHARACTERS
        and external_id.isprintable()
        and REPLACEMENT_CHARACTER not in external_id
    )
