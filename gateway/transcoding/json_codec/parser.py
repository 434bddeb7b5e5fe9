"""Strict JSON parser (RFC 8259). It rejects what Python's json accepts beyond the standard, and detects duplicate keys.

orjson is faster, but it silently keeps the last of duplicate keys and turns huge integers into floats.
"""

import json
from collections import Counter
from typing import Any, NoReturn

from gateway.transcoding.violations import InvalidRequest, Violation

MAX_JSON_VALUES = 10_000
"""Maximum number of values in one body: more than a batch of a hundred tasks with fifty labels each."""

# No integer type of the contract has more digits, and int() takes quadratic time.
_MAX_DIGITS = 20


class JsonObject(dict[str, Any]):
    """A JSON object with the list of its duplicate keys."""

    __slots__ = ("duplicates",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.duplicates: list[str] = []
        if len(self) != len(pairs):
            self.duplicates = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]


def parse_json(body: bytes) -> object:
    """Parse one JSON text.

    Raises:
        InvalidRequest: the body has too many values, is not JSON or not UTF-8, is nested too deeply, or has an integer
            of more than 20 digits.

    """
    if _count_values(body) > MAX_JSON_VALUES:
        message = f"The body has too many values. Send at most {MAX_JSON_VALUES}."
        raise InvalidRequest([Violation("TOO_MANY_VALUES", None, message)])
    try:
        # A byte order mark is ignored, as RFC 8259 section 8.1 allows.
        value: object = _DECODER.decode(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise _malformed("The body is not UTF-8.") from None
    except RecursionError:
        raise _malformed("The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).") from None
    except ValueError as error:
        raise _malformed(f"The body is not JSON: {error}.") from None
    return value


def _count_values(body: bytes) -> int:
    """Return an upper bound of the number of values (an empty object or list counts twice); 0 if it is below the limit.

    The count precedes the parser because a megabyte has room for half a million values, which take a second to parse.
    Every value except the first follows a comma or a bracket outside of strings.
    """
    if _count_separators(body) <= MAX_JSON_VALUES:
        return 0
    # Without escapes, every second piece between quotes is outside of strings. A value has at most two strings, its key
    # and itself, so that more than 4 * MAX_JSON_VALUES quotes are too many values.
    max_quotes = 4 * MAX_JSON_VALUES
    pieces = body.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"', max_quotes)
    return MAX_JSON_VALUES + 1 if len(pieces) > max_quotes else _count_separators(b"".join(pieces[::2]))


def _count_separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _malformed(message: str) -> InvalidRequest:
    return InvalidRequest([Violation("MALFORMED_JSON", None, message)])


def _reject_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _parse_integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number has more than {_MAX_DIGITS} digits")
    return int(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=JsonObject, parse_constant=_reject_constant, parse_int=_parse_integer)
