"""Rows as one JSON parameter, which jsonb_populate_recordset turns into rows of a table."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from psycopg.types.json import Jsonb


def _encode_value(value: object) -> str:
    """Return a value that JSON does not have, such as an id or a time, in the text format of Postgres."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


# Created once: json.dumps with options creates an encoder for each call.
_encode = json.JSONEncoder(default=_encode_value, ensure_ascii=False, separators=(",", ":")).encode


def json_rows(rows: Iterable[Mapping[str, Any]]) -> Jsonb:
    """Return the parameter for rows by column name."""
    return Jsonb(list(rows), dumps=_encode)
