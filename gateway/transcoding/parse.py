"""JSON as RFC 8259 has it and no more: bytes to Python values, with what Python's json lets pass refused.

orjson is faster but keeps the last of duplicate keys and turns huge integers into floats without a word.
"""

import json
from collections import Counter
from typing import Any, NoReturn

from gateway.transcoding.violations import InvalidRequest, Violation

MOST_VALUES = 10_000
"""How many values one text may hold: more than a batch of a hundred tasks with fifty labels each."""


class Object(dict[str, Any]):
    """A JSON object that remembers which of its keys came more than once."""

    __slots__ = ("duplicates",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.duplicates: list[str] = []
        if len(self) != len(pairs):
            self.duplicates = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]


def parse_json(body: bytes) -> object:
    """Reads one JSON text.

    Raises:
        InvalidRequest: it holds too many values, is not JSON, not UTF-8, nested too deeply, or has a number of
            thousands of digits.

    """
    if _values_in(body) > MOST_VALUES:
        message = f"The body may hold {MOST_VALUES} values at the most."
        raise InvalidRequest([Violation("TOO_MANY_VALUES", None, message)])
    try:
        value: object = _DECODER.decode(body.decode())
    except UnicodeDecodeError:
        raise _malformed("The body is not UTF-8.") from None
    except RecursionError:
        raise _malformed("The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).") from None
    except ValueError as error:
        raise _malformed(f"The body is not JSON: {error}.") from None
    return value


def _values_in(body: bytes) -> int:
    """How many values a text holds, an empty object or list counted twice; 0 where there are surely not too many.

    Counted before anything is parsed: half a million of them fit into a megabyte, which the parser takes a second for.
    Every value but the first follows a comma or a bracket outside of strings.
    """
    if _marks_in(body) <= MOST_VALUES:
        return 0
    # Without escapes, every second piece between quotes stands outside of strings.
    # A value is two strings at the most, its key and itself: that many quotes are looked at.
    most = 4 * MOST_VALUES
    pieces = body.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"', most)
    return MOST_VALUES + 1 if len(pieces) > most else _marks_in(b"".join(pieces[::2]))


def _marks_in(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _malformed(message: str) -> InvalidRequest:
    return InvalidRequest([Violation("MALFORMED_JSON", None, message)])


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _integer(digits: str) -> int:
    # No integer type of the contract has more digits, and int() takes quadratic time.
    if len(digits) > 20:  # noqa: PLR2004
        raise ValueError("a number has more than 20 digits")
    return int(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=Object, parse_constant=_refuse, parse_int=_integer)
