"""The option date_format: tokens such as DD, MMM and h:mm, compiled to a regular expression."""

import re
from functools import lru_cache

from chassis.kernel.quoting import quote
from task_service.imports.domain.values.errors import MalformedDateFormat

MAX_DATE_FORMAT_CHARACTERS = 64

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
"""English names of the months."""

MONTH = r"(?P<month_name>[a-z]{3,9})"
OFFSET = r"(?P<utc>z|utc|gmt)? ?(?:(?P<sign>[+-])(?P<offset_hours>\d{1,2})(?::?(?P<offset_minutes>\d{2}))?)?"
_WEEKDAY = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}"

_TOKENS = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<year>\d{2})",
    "MMMM": MONTH,
    "MMM": MONTH,
    "MM": r"(?P<month>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{2})",
    "Do": r"(?P<day>\d{1,2})(?:st|nd|rd|th)",
    "D": r"(?P<day>\d{1,2})",
    "dddd": _WEEKDAY,
    "ddd": _WEEKDAY,
    "HH": r"(?P<hour>\d{2})",
    "H": r"(?P<hour>\d{1,2})",
    "hh": r"(?P<hour>\d{2})",
    "h": r"(?P<hour>\d{1,2})",
    "mm": r"(?P<minute>\d{2})",
    "ss": r"(?P<second>\d{2})",
    "SSS": r"(?P<fraction>\d{3})",
    "A": r"(?P<half>[ap])\.?m\.?",
    "a": r"(?P<half>[ap])\.?m\.?",
    "Z": OFFSET,
}
DATE_FORMAT_TOKENS = tuple(_TOKENS)

_PIECES = re.compile(r"\[([^\[\]]*)\]|(\s+)|([A-Za-z]+)|(.)")
# The longest token first. A single T separates date and time.
_LETTERS = re.compile("|".join((*sorted(_TOKENS, key=len, reverse=True), "T")))


def parse_date_format(text: str) -> str:
    """Return the format. Raises MalformedDateFormat."""
    text = text.strip()
    if text:
        compile_date_format(text)
    return text


@lru_cache(maxsize=64)
def compile_date_format(text: str) -> re.Pattern[str]:
    """Return the expression of a format, for texts with single spaces. Raises MalformedDateFormat."""
    if len(text) > MAX_DATE_FORMAT_CHARACTERS:
        raise MalformedDateFormat(problem=f"it is longer than {MAX_DATE_FORMAT_CHARACTERS} characters")
    if not text.isprintable():
        raise MalformedDateFormat(problem="it has a control character")
    try:
        pattern = re.compile(_PIECES.sub(_expression, text), re.IGNORECASE)
    except re.error:  # two groups of one name
        raise MalformedDateFormat(problem="a part of the date or time occurs twice") from None
    groups = pattern.groupindex.keys()
    if not ({"year", "day"} <= groups and groups & {"month", "month_name"}):
        raise MalformedDateFormat(problem="it needs a year, a month and a day")
    if groups & {"month"} and groups & {"month_name"}:
        raise MalformedDateFormat(problem="a part of the date or time occurs twice")
    return pattern


def _expression(piece: re.Match[str]) -> str:
    literal, space, letters, other = piece.groups()
    if space:
        return " "
    if letters is None:
        return re.escape(literal or other or "")
    parts = _LETTERS.findall(letters)
    if "".join(parts) != letters:
        raise MalformedDateFormat(problem=f"it has the unknown token {quote(letters)}")
    return "".join(_TOKENS.get(part, "t") for part in parts)
