"""Reading of the cells that have a fixed set of values. The value depends only on the cell's text and the options."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from chassis.kernel.errors import Invalid
from task_service.imports.domain.value_errors import UnknownPriority, UnknownStatus
from task_service.imports.domain.value_options import OnUnknownValue, ValueOptions, mapping_key
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

Value = TypeVar("Value")


class CellReader:
    """Reader of status and priority cells, without neutralising apostrophes.

    Each method returns None for an empty cell, and for an unknown one that the options accept.
    """

    def __init__(self, options: ValueOptions, status_column: str = "") -> None:
        """`status_column` is the name of the column that fills the status."""
        statuses = STATUS_WORDS | TRUTH_WORDS if asks_for_truth(status_column) else STATUS_WORDS
        self._statuses = _Words("status", Status, options, statuses, UnknownStatus, options.on_unknown_status)
        self._priorities = _Words(
            "priority", Priority, options, PRIORITY_WORDS, UnknownPriority, options.on_unknown_priority
        )
        self.unknown_cells: set[tuple[str, str]] = set()
        """Fields and cells that were read so far, are unknown, and are accepted by the options."""

    def status(self, cell: str, errors: list[Invalid]) -> Status | None:
        return self._read(self._statuses, cell, errors)

    def priority(self, cell: str, errors: list[Invalid]) -> Priority | None:
        return self._read(self._priorities, cell, errors)

    def _read(self, words: "_Words[Value]", cell: str, errors: list[Invalid]) -> Value | None:
        word = cell.strip()
        if not word:
            return None
        try:
            return words.find(word)
        except KeyError:
            if words.on_unknown is OnUnknownValue.FAIL:
                errors.append(words.error(word=repr(word[:MAX_QUOTED_CHARACTERS])))
            else:
                self.unknown_cells.add((words.field, cell))
        return None


class _Words(Generic[Value]):
    """Words of one field: those of the option value_mapping before the synonyms."""

    def __init__(
        self,
        field: str,
        value_type: Callable[[str], Value],
        options: ValueOptions,
        synonyms: Mapping[str, Value],
        error: type[Invalid],
        on_unknown: OnUnknownValue,
    ) -> None:
        mapped = options.value_mapping.get(field, {})
        self._mapped = {key: value_type(value) if value else None for key, value in mapped.items()}
        self._synonyms = synonyms
        self.field = field
        self.error = error
        self.on_unknown = on_unknown

    def find(self, word: str) -> Value | None:
        """Return the value of a word; None if the word means an empty cell. Raises KeyError."""
        if len(word) <= MAX_WORD_CHARACTERS and (key := mapping_key(word)) in self._mapped:
            return self._mapped[key]
        return self._synonyms[word_key(word)]
