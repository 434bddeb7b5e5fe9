"""The query string to the fields of a message."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from google.protobuf.descriptor import FieldDescriptor

from gateway.transcoding.dialect import Kind, kind_of
from gateway.transcoding.scalars import WrongValue, text_reader
from gateway.transcoding.violations import Violations


class QueryBinder:
    """Reads parameters that are named as fields are.

    A repeated field is a repeated parameter; words may also be joined by commas, for no word holds one.
    """

    def __init__(self, fields: Iterable[FieldDescriptor]) -> None:
        fields = tuple(fields)
        self._readers = {field.name: text_reader(field) for field in fields}
        self._repeated = frozenset(field.name for field in fields if field.is_repeated)
        self._words = frozenset(field.name for field in fields if field.is_repeated and kind_of(field) is Kind.WORD)

    def fields(self, query: bytes, violations: Violations) -> dict[str, Any]:
        """The values by field name."""
        fields: dict[str, Any] = {}
        for part in query.split(b"&") if query else ():
            raw_name, _, raw_value = part.partition(b"=")
            if not part:
                continue
            try:
                name, text = _decode(raw_name), _decode(raw_value)
            except UnicodeDecodeError:
                violations.add("MALFORMED_QUERY", None, "The query string is not UTF-8.")
                continue
            self._take(name, text, fields, violations)
        return fields

    def _take(self, name: str, text: str, fields: dict[str, Any], violations: Violations) -> None:
        if name not in self._readers:
            violations.add("UNKNOWN_PARAMETER", name, "There is no such parameter.")
        elif name in self._repeated:
            values = text.split(",") if name in self._words else [text]
            fields.setdefault(name, []).extend(self._read(name, value, violations) for value in values)
        elif name in fields:
            violations.add("DUPLICATE_PARAMETER", name, "Is given more than once.")
        else:
            fields[name] = self._read(name, text, violations)

    def _read(self, name: str, text: str, violations: Violations) -> Any:
        try:
            return self._readers[name](text)
        except WrongValue as wrong:
            violations.add(wrong.reason, name, wrong.message)
            return None


def _decode(raw: bytes) -> str:
    return unquote_plus(raw.decode(), errors="strict")
