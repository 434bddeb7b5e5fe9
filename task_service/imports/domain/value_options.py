"""Options that say how cells become values."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from chassis.kernel.errors import Invalid
from task_service.imports.domain.dates import DateOrder
from task_service.imports.domain.json_option import parse_json_object
from task_service.imports.domain.option_layers import overlay, set_options
from task_service.imports.domain.value_errors import (
    ContradictoryDateOptions,
    DuplicateMappedText,
    MalformedLabelSeparator,
    MalformedTitleLabelPrefix,
    MalformedValueMapping,
    TooManyNullValues,
    UnknownMappedValue,
    UnknownValueField,
)
from task_service.imports.domain.value_synonyms import MAX_WORD_CHARACTERS
from task_service.tasks.domain.values import (
    normalize_word,
    to_nfc,
    validate_due_date,
    validate_priority,
    validate_status,
)

MAX_LABEL_SEPARATOR_CHARACTERS = 8
MAX_NULL_VALUES = 50

_RULES = {"status": validate_status, "priority": validate_priority, "due_date": validate_due_date}
"""Validation of the fields that value_mapping can have."""


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
class ValueOptions:
    """Options for the rows of an import and their values. A field with its default value is not set."""

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

    def over(self, base: "ValueOptions") -> "ValueOptions":
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
    def from_json(cls, stored: Mapping[str, Any]) -> "ValueOptions":
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


class UnknownCells(NamedTuple):
    """Number of imported rows with a cell that is unknown or damaged, by field."""

    status: int = 0
    priority: int = 0
    due_date: int = 0
    assignee: int = 0
    completed_at: int = 0
    external_id: int = 0

    @classmethod
    def from_counter(cls, counter: Counter[str]) -> "UnknownCells":
        return cls(**counter)

    def warnings(self) -> Iterator[str]:
        """Yield a warning for each field with such cells."""
        for count, text in zip(self, _WARNINGS, strict=True):
            if count:
                yield text.format(rows="1 row has" if count == 1 else f"{count} rows have")


_WARNINGS = (
    "{rows} an unknown status and got the default status (on_unknown_status=default).",
    "{rows} an unknown priority and got the priority none (on_unknown_priority=default).",
    "{rows} an unreadable due date and got none (on_unknown_date=empty).",
    "{rows} an unknown assignee, which counts as an empty cell (on_unknown_assignee=leave_empty).",
    "{rows} a completion time that was left empty: it is unreadable, before 1900 or in the future.",
    "{rows} an external_id such as 1.21E+08, which a spreadsheet has rounded. Import the original file instead.",
)


def parse_label_separator(text: str) -> str:
    """Return the text between two labels of a cell. Raises MalformedLabelSeparator."""
    if len(text) > MAX_LABEL_SEPARATOR_CHARACTERS or any(found.isalnum() or found in "[]'\0" for found in text):
        raise MalformedLabelSeparator(limit=MAX_LABEL_SEPARATOR_CHARACTERS)
    return text


def parse_null_values(text: str) -> tuple[str, ...]:
    """Parse texts such as `null|[]`, with a bar between, as keys for comparison. Raises TooManyNullValues."""
    keys = tuple(dict.fromkeys(key for part in text.split("|") if (key := null_key(part))))
    if len(keys) > MAX_NULL_VALUES or any(len(key) > MAX_WORD_CHARACTERS or not _is_storable(key) for key in keys):
        raise TooManyNullValues(limit=MAX_NULL_VALUES, characters=MAX_WORD_CHARACTERS)
    return keys


def null_key(text: str) -> str:
    """Return the form in which texts of null_values are compared: without case and surrounding spaces."""
    return text.strip().casefold()


def parse_title_label_prefix(text: str) -> str:
    """Return the character that begins a label within a title. Raises MalformedTitleLabelPrefix."""
    if len(text) > 1 or text.isalnum() or text.isspace() or not text.isprintable() or text in {"'", '"'}:
        raise MalformedTitleLabelPrefix
    return text


def mapping_key(text: str) -> str:
    """Return the form in which texts of value_mapping are compared: without case, spaces and hyphens being the same."""
    return to_nfc(normalize_word(text)).casefold()


def parse_value_mapping(text: str) -> Mapping[str, Mapping[str, str]]:
    """Parse a mapping such as `{"status": {"Blocked": "pending"}}`. The texts become keys.

    Raises:
        MalformedValueMapping: the text is not JSON of this form.
        UnknownValueField: the field has no mapping.
        UnknownMappedValue: the value is not one of the field.
        DuplicateMappedText: a text has two values.

    """
    if not text.strip():
        return {}

    def duplicate(name: str) -> DuplicateMappedText:
        return DuplicateMappedText(text=_quote(name))

    fields = parse_json_object(text, malformed=MalformedValueMapping, duplicate=duplicate)
    return {name: _parse_values(name, texts) for name, texts in fields.items()}


def _parse_values(name: str, texts: Any) -> dict[str, str]:
    if name not in _RULES:
        raise UnknownValueField(name=_quote(name))
    if not isinstance(texts, dict):
        raise MalformedValueMapping(problem=f"{name} is not an object of texts and values")
    values: dict[str, str] = {}
    for text, value in texts.items():
        key = mapping_key(text)
        if not key or len(text) > MAX_WORD_CHARACTERS or not _is_storable(text):
            problem = f"a text must have 1 to {MAX_WORD_CHARACTERS} characters. For empty cells use the defaults"
            raise MalformedValueMapping(problem=problem)
        if key in values:
            raise DuplicateMappedText(text=_quote(text))
        values[key] = _parse_value(name, text, value)
    return values


def _parse_value(name: str, text: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        if not value.strip():
            return ""
        errors: list[Invalid] = []
        found = _RULES[name](value, errors)
        if not errors:
            return str(found)
    raise UnknownMappedValue(text=_quote(text), value=_quote(str(value)), name=name)


def _is_storable(text: str) -> bool:
    """Return False for NUL and lone surrogates, which JSON can spell but no cell and no database contains."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _quote(text: str) -> str:
    # ASCII, because a lone surrogate can't be sent in a message.
    return ascii(text[:40]) if not _is_storable(text) else repr(text[:40])
