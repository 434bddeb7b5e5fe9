"""Binding of the query string to the fields of a message."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from google.protobuf.descriptor import FieldDescriptor

from chassis.kernel.suggestions import close_names, did_you_mean
from gateway.transcoding.json_codec.json_mapping import Kind, is_field_mask, kind_of
from gateway.transcoding.json_codec.scalars import InvalidValue, read_field_mask, text_reader
from gateway.transcoding.violations import Violations


class QueryBinder:
    """Reader of query parameters, which have the names of the fields.

    A repeated field is a repeated parameter. Enum values may also be joined by commas, because no name has a comma.
    """

    def __init__(self, fields: Iterable[FieldDescriptor]) -> None:
        fields = tuple(fields)
        self._readers = {
            field.name: read_field_mask if is_field_mask(field) else text_reader(field) for field in fields
        }
        self._repeated = frozenset(field.name for field in fields if field.is_repeated)
        self._repeated_enums = frozenset(
            field.name for field in fields if field.is_repeated and kind_of(field) is Kind.ENUM
        )

    def fields(self, query: bytes, violations: Violations) -> dict[str, Any]:
        """Return the values by field name."""
        fields: dict[str, Any] = {}
        for parameter in query.split(b"&") if query else ():
            raw_name, _, raw_value = parameter.partition(b"=")
            if not parameter:
                continue
            try:
                name, text = _decode(raw_name), _decode(raw_value)
            except UnicodeDecodeError:
                violations.add("MALFORMED_QUERY", None, "The query string is not UTF-8.")
                continue
            self._add(name, text, fields, violations)
        return fields

    def _add(self, name: str, text: str, fields: dict[str, Any], violations: Violations) -> None:
        if name not in self._readers:
            question = did_you_mean(close_names(name, self._readers))
            violations.add("UNKNOWN_PARAMETER", name, f"Unknown parameter.{question} See /docs.")
        elif name in self._repeated:
            values = text.split(",") if name in self._repeated_enums else [text]
            fields.setdefault(name, []).extend(self._read(name, value, violations) for value in values)
        elif name in fields:
            violations.add("DUPLICATE_PARAMETER", name, "Must be given only once.")
        else:
            fields[name] = self._read(name, text, violations)

    def _read(self, name: str, text: str, violations: Violations) -> Any:
        try:
            return self._readers[name](text)
        except InvalidValue as error:
            violations.add(error.reason, name, error.message)
            return None


def _decode(raw: bytes) -> str:
    return unquote_plus(raw.decode(), errors="strict")
