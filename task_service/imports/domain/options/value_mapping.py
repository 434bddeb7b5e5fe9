"""The option value_mapping: values for texts of the file."""

import json
from collections.abc import Container, Mapping
from typing import Any

from chassis.kernel.errors import Invalid
from chassis.kernel.quoting import MAX_QUOTED_CHARACTERS, is_invisible, quote
from task_service.imports.domain.json_option import parse_json_object
from task_service.imports.domain.values.errors import (
    DuplicateMappedText,
    MalformedValueMapping,
    UnknownMappedValue,
    UnknownValueField,
)
from task_service.imports.domain.values.synonyms import MAX_WORD_CHARACTERS
from task_service.tasks.domain.values import (
    Priority,
    Status,
    normalize_word,
    to_nfc,
    validate_due_date,
    validate_priority,
    validate_status,
)

_RULES = {"status": validate_status, "priority": validate_priority, "due_date": validate_due_date}
"""Validation of the fields that value_mapping can have."""
_EXPECTED = {"status": ", ".join(Status), "priority": ", ".join(Priority), "due_date": "a date such as 2026-12-31"}
_EXAMPLES = {"status": Status.PENDING, "priority": Priority.MEDIUM}


def mapping_key(text: str) -> str:
    """Return the form in which texts of value_mapping are compared: without case, spaces and hyphens being the same."""
    return to_nfc(normalize_word(text)).casefold()


def find_mapped_key(mapped: Container[str], text: str) -> str | None:
    """Return the key of a text of the file in a mapping by keys; None if the mapping does not have the text."""
    if len(text) > MAX_WORD_CHARACTERS or (key := mapping_key(text)) not in mapped:
        return None
    return key


def example_mapping(field: str, text: str) -> str:
    """Return a mapping of the text, for an error message to copy. A long text is cut, as `quote` does.

    JSON's escapes show its invisible characters.
    """
    mapping = json.dumps({field: {text[:MAX_QUOTED_CHARACTERS]: _EXAMPLES[field]}}, ensure_ascii=False)
    return "".join(json.dumps(char)[1:-1] if is_invisible(char) else char for char in mapping)


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
        return DuplicateMappedText(text=quote(name))

    fields = parse_json_object(text, malformed=MalformedValueMapping, duplicate=duplicate)
    return {name: _parse_values(name, texts) for name, texts in fields.items()}


def _parse_values(name: str, texts: Any) -> dict[str, str]:
    if name not in _RULES:
        raise UnknownValueField(name=quote(name))
    if not isinstance(texts, dict):
        raise MalformedValueMapping(problem=f"{name} is not an object of texts and values")
    values: dict[str, str] = {}
    for text, value in texts.items():
        key = mapping_key(text)
        if not key or len(text) > MAX_WORD_CHARACTERS or not is_storable(text):
            problem = f"a text must have 1 to {MAX_WORD_CHARACTERS} characters. For empty cells use the defaults"
            raise MalformedValueMapping(problem=problem)
        if key in values:
            raise DuplicateMappedText(text=quote(text))
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
    raise UnknownMappedValue(text=quote(text), value=quote(str(value)), name=name, expected=_EXPECTED[name])


def is_storable(text: str) -> bool:
    """Return False for NUL and lone surrogates, which JSON can spell but no cell and no database contains."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
