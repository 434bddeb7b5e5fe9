"""Date and time from the named groups of an expression's match."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from task_service.imports.domain.values.date_formats import MONTHS

_LAST_YEAR_OF_THIS_CENTURY = 68
"""Two digits up to this are 20xx, as in POSIX."""
_HOURS_OF_HALF_DAY = 12
_MONTH_NUMBERS = {
    **{name: number for number, name in enumerate(MONTHS, 1)},
    **{name[:3]: number for number, name in enumerate(MONTHS, 1)},
    "sept": 9,
}


def datetime_of(match: re.Match[str]) -> datetime | None:
    """Return the date and time, with an offset if the text has one. Return None if it does not exist."""
    groups = match.groupdict()
    name = groups.get("month_name")
    month = _MONTH_NUMBERS.get(name.lower(), 0) if name else int(groups["month"])
    return datetime_on(match, groups["year"], month, int(groups["day"]))


def datetime_on(match: re.Match[str], year: str, month: int, day: int) -> datetime | None:
    """Return the day with the time and the offset of the match. Return None if it does not exist."""
    groups = match.groupdict()
    try:
        return datetime(_full_year(year), month, day, *_time(groups), tzinfo=_offset(groups))
    except ValueError:
        return None


def _full_year(text: str) -> int:
    number = int(text)
    if len(text) == len("2026"):
        return number
    return number + (2000 if number <= _LAST_YEAR_OF_THIS_CENTURY else 1900)


def _time(groups: dict[str, str | None]) -> tuple[int, int, int, int]:
    """Return hour, minute, second and microsecond. Raises ValueError."""
    hour, half = int(groups.get("hour") or 0), groups.get("half")
    if half:
        if not 1 <= hour <= _HOURS_OF_HALF_DAY:
            raise ValueError(hour)
        hour = hour % _HOURS_OF_HALF_DAY + (_HOURS_OF_HALF_DAY if half.lower() == "p" else 0)
    microsecond = int((groups.get("fraction") or "")[:6].ljust(6, "0"))
    return hour, int(groups.get("minute") or 0), int(groups.get("second") or 0), microsecond


def _offset(groups: dict[str, str | None]) -> tzinfo | None:
    """Return the time zone of the text; None if it has none. Raises ValueError."""
    if sign := groups.get("sign"):
        hours, minutes = int(groups["offset_hours"] or 0), int(groups["offset_minutes"] or 0)
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(-offset if sign == "-" else offset)
    return UTC if groups.get("utc") else None
