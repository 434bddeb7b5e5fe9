"""JSON as RFC 8259 has it and no more: bytes to Python values, with what Python's json lets pass refused.

orjson is faster but keeps the last of duplicate keys and turns huge integers into floats without a word.
"""

import json
from collections import Counter
from typing import Any, NoReturn

from gateway.transcoding.violations import InvalidRequest, Violation


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
        InvalidRequest: it is not JSON, not UTF-8, nested too deeply, or holds a number of thousands of digits.

    """
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
