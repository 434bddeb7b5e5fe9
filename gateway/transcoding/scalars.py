"""Single values: from JSON and from the text of a query parameter, checked against the field's type."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.transcoding.dialect import RANGES, Kind, Range, kind_of, words_of
from gateway.transcoding.http_rules import UnsupportedContract

FromJson = Callable[[object], Any]
FromText = Callable[[str], Any]

# RFC 3339 section 5.6. datetime.fromisoformat alone takes week dates, missing zones and more.
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_DECIMAL = re.compile(r"-?[0-9]{1,20}", re.ASCII)


class WrongValue(Exception):
    """A value does not fit its field."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def json_reader(field: FieldDescriptor) -> FromJson:
    """What turns a JSON value into the field's value or, where it is repeated, an element. Raises WrongValue."""
    match kind_of(field):
        case Kind.STRING:
            return _string
        case Kind.BOOLEAN:
            return _boolean
        case Kind.INTEGER:
            return _within(RANGES[field.type])
        case Kind.WORD:
            return _word(_numbers(field))
        case Kind.TIMESTAMP:
            return _timestamp
        case Kind.OBJECT:
            raise UnsupportedContract(f"{field.full_name} is no single value")


def text_reader(field: FieldDescriptor) -> FromText:
    """What turns a query parameter's text into the field's value or, where it is repeated, an element."""
    from_json = json_reader(field)
    match kind_of(field):
        case Kind.BOOLEAN:
            return lambda text: from_json(_BOOLEANS.get(text, text))
        case Kind.INTEGER:
            return lambda text: from_json(int(text) if _DECIMAL.fullmatch(text) else text)
        case _:
            return from_json


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise WrongValue("WRONG_TYPE", "Must be a string.")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise WrongValue("INVALID_TEXT", "Holds half of a surrogate pair, which is no character.") from None
    return value


_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False}


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise WrongValue("WRONG_TYPE", "Must be true or false.")
    return value


def _within(limits: Range) -> FromJson:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise WrongValue("WRONG_TYPE", "Must be a whole number.")
        if not limits.least <= value <= limits.most:
            raise WrongValue("OUT_OF_RANGE", f"Must be between {limits.least} and {limits.most}.")
        return value

    return read


def _numbers(field: FieldDescriptor) -> dict[str, int]:
    """The numbers by word, and by the word as the product's first clients write it: in-progress for in_progress."""
    numbers = {word: number for number, word in words_of(field).items() if word}
    return numbers | {word.replace("_", "-"): number for word, number in numbers.items()}


def _word(numbers: Mapping[str, int]) -> FromJson:
    choice = "Must be one of " + ", ".join(word for word in numbers if "-" not in word) + "."

    def read(value: object) -> int:
        if not isinstance(value, str):
            raise WrongValue("WRONG_TYPE", choice)
        number = numbers.get(value)
        if number is None:
            raise WrongValue("UNKNOWN_VALUE", choice)
        return number

    return read


def _timestamp(value: object) -> Timestamp:
    if not isinstance(value, str):
        raise WrongValue("WRONG_TYPE", "Must be a time as a string, such as 2026-03-01T12:00:00Z.")
    try:
        if not _RFC_3339.fullmatch(value):
            raise ValueError
        timestamp = Timestamp()
        timestamp.FromDatetime(datetime.fromisoformat(value.upper()))
    except (ValueError, OverflowError):
        raise WrongValue("INVALID_TIME", "Must be a time as RFC 3339 has it, such as 2026-03-01T12:00:00Z.") from None
    return timestamp
