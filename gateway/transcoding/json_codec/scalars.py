"""Readers of single values, from JSON and from the text of a query parameter, checked against the type of the field."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.transcoding.errors import UnsupportedContract
from gateway.transcoding.json_codec.json_mapping import INTEGER_RANGES, IntegerRange, Kind, enum_names_of, kind_of

JsonReader = Callable[[object], Any]
TextReader = Callable[[str], Any]

# RFC 3339 section 5.6. datetime.fromisoformat alone accepts week dates, missing zones and more.
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_DECIMAL = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False}


class InvalidValue(Exception):
    """A value does not fit its field."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def json_reader(field: FieldDescriptor) -> JsonReader:
    """Return the reader of a JSON value of the field (an element if it is repeated). It raises InvalidValue."""
    match kind_of(field):
        case Kind.STRING:
            return _read_string
        case Kind.BOOLEAN:
            return _read_boolean
        case Kind.INTEGER:
            return _integer_reader(INTEGER_RANGES[field.type])
        case Kind.ENUM:
            return _enum_reader(_enum_numbers(field))
        case Kind.TIMESTAMP:
            return _read_timestamp
        case Kind.OBJECT:
            raise UnsupportedContract(f"{field.full_name} is not a single value")


def text_reader(field: FieldDescriptor) -> TextReader:
    """Return the reader of a query parameter of the field. The reader raises InvalidValue."""
    read = json_reader(field)
    match kind_of(field):
        case Kind.BOOLEAN:
            return lambda text: read(_BOOLEANS.get(text, text))
        case Kind.INTEGER:
            return lambda text: read(int(text) if _DECIMAL.fullmatch(text) else text)
        case _:
            return read


def read_field_mask(text: str) -> FieldMask:
    """Return the mask "*" (AIP-134). Raises InvalidValue for any other mask: that is the keys of the body."""
    if text != "*":
        message = "Must be *, to replace all fields. Leave it out to write the fields in the body."
        raise InvalidValue("UNKNOWN_VALUE", message)
    return FieldMask(paths=["*"])


def _read_string(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValue("WRONG_TYPE", "Must be a string.")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            message = "Must not contain half of a surrogate pair, which is not a character."
            raise InvalidValue("INVALID_TEXT", message) from None
    return value


def _read_boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidValue("WRONG_TYPE", "Must be true or false.")
    return value


def _integer_reader(limits: IntegerRange) -> JsonReader:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise InvalidValue("WRONG_TYPE", "Must be a whole number.")
        if not limits.minimum <= value <= limits.maximum:
            raise InvalidValue("OUT_OF_RANGE", f"Must be between {limits.minimum} and {limits.maximum}.")
        return value

    return read


def _enum_numbers(field: FieldDescriptor) -> dict[str, int]:
    """Return the enum numbers by JSON name, and by its form with hyphens, which the product's first clients send."""
    numbers = {name: number for number, name in enum_names_of(field).items() if name}
    return numbers | {name.replace("_", "-"): number for name, number in numbers.items()}


def _enum_reader(numbers: Mapping[str, int]) -> JsonReader:
    message = "Must be one of " + ", ".join(name for name in numbers if "-" not in name) + "."

    def read(value: object) -> int:
        if not isinstance(value, str):
            raise InvalidValue("WRONG_TYPE", message)
        number = numbers.get(value)
        if number is None:
            raise InvalidValue("UNKNOWN_VALUE", message)
        return number

    return read


def _read_timestamp(value: object) -> Timestamp:
    if not isinstance(value, str):
        raise InvalidValue("WRONG_TYPE", "Must be a time as a string, such as 2026-03-01T12:00:00Z.")
    try:
        if not _RFC_3339.fullmatch(value):
            raise ValueError
        timestamp = Timestamp()
        timestamp.FromDatetime(datetime.fromisoformat(value.upper()))
    except (ValueError, OverflowError):
        raise InvalidValue("INVALID_TIME", "Must be an RFC 3339 time, such as 2026-03-01T12:00:00Z.") from None
    return timestamp
