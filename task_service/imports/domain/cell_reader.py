"""Reading of the cells that have a fixed set of values. The value depends only on the cell's text and the options."""

from collections.abc import Mapping
from typing import TypeVar

from chassis.kernel.errors import Invalid
from task_service.imports.domain.value_errors import UnknownPriority, UnknownStatus
from task_service.imports.domain.value_synonyms import (
    PRIORITY_WORDS,
    STATUS_WORDS,
    TRUTH_WORDS,
    asks_for_truth,
    word_key,
)
from task_service.tasks.domain.values import Priority, Status

MAX_QUOTED_CHARACTERS = 40
"""Maximum characters of a cell in an error message."""

Value = TypeVar("Value")


class CellReader:
    """Reader of status and priority cells, without neutralising apostrophes. Each returns None for an empty cell."""

    def __init__(self, status_column: str = "") -> None:
        """`status_column` is the name of the column that fills the status."""
        self._statuses = STATUS_WORDS | TRUTH_WORDS if asks_for_truth(status_column) else STATUS_WORDS

    def status(self, cell: str, errors: list[Invalid]) -> Status | None:
        return _read_word(cell, self._statuses, UnknownStatus, errors)

    def priority(self, cell: str, errors: list[Invalid]) -> Priority | None:
        return _read_word(cell, PRIORITY_WORDS, UnknownPriority, errors)


def _read_word(cell: str, words: Mapping[str, Value], unknown: type[Invalid], errors: list[Invalid]) -> Value | None:
    word = cell.strip()
    if not word:
        return None
    value = words.get(word_key(word))
    if value is None:
        errors.append(unknown(word=repr(word[:MAX_QUOTED_CHARACTERS])))
    return value
