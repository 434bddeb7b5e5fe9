"""Options for the rows of a file: rows to import, and values of their cells."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from task_service.imports.domain.options.layers import overlay, set_options
from task_service.imports.domain.options.value_mapping import is_storable
from task_service.imports.domain.values.dates import DateOrder
from task_service.imports.domain.values.errors import (
    ContradictoryDateOptions,
    MalformedLabelSeparator,
    MalformedTitleLabelPrefix,
    TooManyNullValues,
)
from task_service.imports.domain.values.synonyms import MAX_WORD_CHARACTERS

MAX_LABEL_SEPARATOR_CHARACTERS = 8
MAX_NULL_VALUES = 50


class OnUnknownValue(StrEnum):
    """Treatment of a row with a word that nothing maps."""

    FAIL = "fail"
    DEFAULT = "default"


class OnUnknownDate(StrEnum):
    """Treatment of a row with a date that has no or several readings."""

    FAIL = "fail"
    EMPTY = "empty"


class OnUnknownAssignee(StrEnum):
    """Treatment of a row with an assignee who is not a user."""

    FAIL = "fail"
    LEAVE_EMPTY = "leave_empty"


@dataclass(frozen=True, slots=True)
class RowOptions:
    """Options for the rows of a file. A field with its default value is not set."""

    value_mapping: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By field: the value of each text. An empty value means an empty cell."""
    on_unknown_status: OnUnknownValue | None = None
    on_unknown_priority: OnUnknownValue | None = None
    on_unknown_date: OnUnknownDate | None = None
    on_unknown_assignee: OnUnknownAssignee | None = None
    date_format: str = ""
    date_order: DateOrder | None = None
    time_zone: str = ""
    """IANA name; empty means UTC."""
    label_separator: str = ""
    """Text between two labels; empty means a comma."""
    row_filter: str | None = None
    """Text of a RowFilter. An empty text imports every row, also if the source has a filter."""
    continuation_rows: str | None = None
    """Text of a RowFilter for the rows that continue the task above them; empty for none."""
    null_values: tuple[str, ...] | None = None
    """Texts that count as an empty cell."""
    title_label_prefix: str | None = None
    """Character that begins a label within a title; empty for none."""
    strip_label_colors: bool | None = None

    def __post_init__(self) -> None:
        if self.date_format and self.date_order:
            raise ContradictoryDateOptions

    def over(self, base: "RowOptions") -> "RowOptions":
        """Return these options, and the base's for those that are not set here."""
        # The two options contradict each other, so one of them replaces the other.
        if self.date_format:
            base = replace(base, date_order=None)
        if self.date_order:
            base = replace(base, date_format="")
        value_mapping = {
            name: {**base.value_mapping.get(name, {}), **self.value_mapping.get(name, {})}
            for name in (*base.value_mapping, *self.value_mapping)
        }
        return replace(overlay(self, base), value_mapping=value_mapping)

    def to_json(self) -> dict[str, Any]:
        """Return the options that are set."""
        return set_options(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "RowOptions":
        """Return the options from their stored form."""
        values: dict[str, Any] = {
            name: _ENUMS[name](value) if name in _ENUMS else value for name, value in stored.items()
        }
        if values.get("null_values") is not None:
            values["null_values"] = tuple(values["null_values"])
        return cls(**values)


_ENUMS: Mapping[str, type[StrEnum]] = {
    "on_unknown_status": OnUnknownValue,
    "on_unknown_priority": OnUnknownValue,
    "on_unknown_date": OnUnknownDate,
    "on_unknown_assignee": OnUnknownAssignee,
    "date_order": DateOrder,
}


def parse_label_separator(text: str) -> str:
    """Return the text between two labels of a cell. Raises MalformedLabelSeparator."""
    if len(text) > MAX_LABEL_SEPARATOR_CHARACTERS or any(found.isalnum() or found in "[]'\0" for found in text):
        raise MalformedLabelSeparator(limit=MAX_LABEL_SEPARATOR_CHARACTERS)
    return text


def parse_null_values(text: str) -> tuple[str, ...]:
    """Parse texts such as `null|[]`, with a bar between, as keys for comparison. Raises TooManyNullValues."""
    keys = tuple(dict.fromkeys(key for part in text.split("|") if (key := null_key(part))))
    if len(keys) > MAX_NULL_VALUES or any(len(key) > MAX_WORD_CHARACTERS or not is_storable(key) for key in keys):
        raise TooManyNullValues(limit=MAX_NULL_VALUES, characters=MAX_WORD_CHARACTERS)
    return keys


def null_key(text: str) -> str:
    """Return the form in which texts of null_values are compared: without case and surrounding spaces."""
    return text.strip().casefold()


def is_null(cell: str, null_values: Container[str]) -> bool:
    """Return True if a cell, without a neutralising apostrophe, is one of the texts of null_values."""
    return len(cell) <= 2 * MAX_WORD_CHARACTERS and null_key(cell) in null_values


def parse_title_label_prefix(text: str) -> str:
    """Return the character that begins a label within a title. Raises MalformedTitleLabelPrefix."""
    if len(text) > 1 or text.isalnum() or text.isspace() or not text.isprintable() or text in {"'", '"'}:
        raise MalformedTitleLabelPrefix
    return text
