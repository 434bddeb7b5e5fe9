"""Dates as other tools write them. A text that can be two dates is an error, whatever other rows show."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from task_service.imports.domain.date_formats import MONTH, MONTHS, OFFSET, compile_date_format
from task_service.imports.domain.value_errors import (
    AmbiguousDate,
    DateWithoutYear,
    MalformedDate,
    UnknownTimeZone,
)
from task_service.tasks.domain.values import parse_date

MAX_DATE_CHARACTERS = 100
MAX_QUOTED_CHARACTERS = 40

EXCEL_SERIALS = range(36_526, 73_051)
"""Days since 1899-12-30 as Excel stores them: 2000-01-01 to 2099-12-31."""

_EXCEL_EPOCH = date(1899, 12, 30)
_EPOCH_SECONDS = range(946_684_800, 4_102_444_800)
"""Seconds since 1970: the same years as EXCEL_SERIALS, so that no number has two meanings."""

# The expressions match texts with single spaces: several optional runs of spaces would take quadratic time or more.
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,? )?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4}|\d{2})"
_TIME = (
    r"(?:(?:t| ?,? (?:at )?)(?P<hour>\d{1,2})"
    # An hour needs minutes or a half of the day: "Dec 31, 2026 10" is no time.
    r"(?=:| ?[ap])(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?)?"
    rf"(?: ?(?P<half>[ap])\.?m\.?)? ?\(?{OFFSET}\)?(?: ?\([a-z ]+\))?)?"
)


def _compile(*forms: str) -> Sequence[re.Pattern[str]]:
    return [re.compile(form + _TIME, re.IGNORECASE) for form in forms]


_BASIC = r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})"
_BASIC_TIME = rf"(?:t(?P<hour>\d{{2}})(?P<minute>\d{{2}})(?P<second>\d{{2}})?{OFFSET})?"
# Forms with one reading. The first is the basic form of ISO 8601, as in calendars.
_FORMS = (
    re.compile(_BASIC + _BASIC_TIME, re.IGNORECASE),
    *_compile(
        rf"{_WEEKDAY}{_DAY}\.?(?:[ /-]{{1,3}}| of ){MONTH}\.?(?:, ?|[ /-]{{1,3}}){_YEAR}",
        rf"{_WEEKDAY}{MONTH}\.?[ /-]{{1,3}}{_DAY}(?:, ?|[ /-]{{1,3}}){_YEAR}",
        rf"(?P<year>\d{{4}})[ /-]{{1,3}}{MONTH}[ /-]{{1,3}}{_DAY}",
    ),
)
_YEAR_FIRST_FORMS = _compile(r"(?P<year>\d{4})([-/.]) ?(?P<month>\d{1,2})\2 ?(?P<day>\d{1,2})")
(_NUMBERS,) = _compile(
    rf"{_WEEKDAY}(?P<a>\d{{1,2}})(?P<separator>[-/.]) ?(?P<b>\d{{1,2}})(?P=separator) ?(?P<c>\d{{4}}|\d{{1,2}})"
)
_WITHOUT_YEAR = _compile(
    rf"{_WEEKDAY}{_DAY}\.?[ /-]{{1,3}}{MONTH}\.?",
    rf"{_WEEKDAY}{MONTH}\.?[ /-]{{1,3}}{_DAY}",
    r"\d{1,2}[/.-]\d{1,2}\.?",
)
_LAST_YEAR_OF_THIS_CENTURY = 68
"""Two digits up to this are 20xx, as in POSIX."""
_HOURS_OF_HALF_DAY = 12
_MONTH_NUMBERS = {
    **{name: number for number, name in enumerate(MONTHS, 1)},
    **{name[:3]: number for number, name in enumerate(MONTHS, 1)},
    "sept": 9,
}


class DateOrder(StrEnum):
    """Order of the numbers in a date."""

    MDY = "mdy"
    DMY = "dmy"
    YMD = "ymd"


def parse_time_zone(name: str) -> str:
    """Return the name of the time zone. Raises UnknownTimeZone."""
    name = name.strip()
    if name and name not in _zone_names():
        raise UnknownTimeZone
    return name


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones() | {"UTC"})


class DateParser:
    """Parser of due dates. A time with an offset is a moment: its day is the one in the time zone."""

    def __init__(self, date_format: str = "", order: DateOrder | None = None, time_zone: str = "") -> None:
        self._format = compile_date_format(date_format) if date_format else None
        self._order = order
        self._zone: tzinfo = ZoneInfo(time_zone) if time_zone not in {"", "UTC"} else UTC
        # With a format, other orders of numbers would contradict it.
        self._forms = _FORMS if date_format.startswith("YY") else (*_YEAR_FIRST_FORMS, *_FORMS)

    def parse(self, text: str) -> date:
        """Return the date in a text. Raises MalformedDate, AmbiguousDate, DateWithoutYear."""
        # The usual form of a date is read without the expressions.
        if self._format is None and (plain_date := parse_date(text)):
            return plain_date
        found = self._find(" ".join(text.split())) if len(text) <= MAX_DATE_CHARACTERS else None
        if found is None:
            raise MalformedDate(text=repr(text[:MAX_QUOTED_CHARACTERS]))
        return found

    def _find(self, text: str) -> date | None:
        if self._format is not None and (match := self._format.fullmatch(text)):
            return self._date_of(match)
        if re.fullmatch(r"\d{1,16}(?:\.\d{1,10})?", text, re.ASCII) and (found := self._number(text)):
            return found
        for form in self._forms:
            if match := form.fullmatch(text):
                return self._date_of(match)
        if match := _NUMBERS.fullmatch(text):
            return self._numbers(match)
        if any(form.fullmatch(text) for form in _WITHOUT_YEAR):
            raise DateWithoutYear(text=repr(text))
        return None

    def _number(self, text: str) -> date | None:
        """Return the date of an Excel serial number, or of seconds or milliseconds since 1970."""
        number = int(text.partition(".")[0])
        if number in EXCEL_SERIALS:
            return _EXCEL_EPOCH + timedelta(days=number)
        for seconds in (number, number // 1000):
            if seconds in _EPOCH_SECONDS:
                return datetime.fromtimestamp(seconds, self._zone).date()
        return None

    def _numbers(self, match: re.Match[str]) -> date | None:
        found = set(self._readings(match))
        if len(found) > 1:
            first, second, *_ = sorted(found)
            raise AmbiguousDate(text=repr(match[0]), first=first, second=second)
        return next(iter(found), None)

    def _readings(self, match: re.Match[str]) -> Iterator[date]:
        """Yield the dates that three numbers can mean."""
        if self._format is not None:
            return
        a, b, c = match["a"], match["b"], match["c"]
        orders = [self._order] if self._order else [DateOrder.DMY] if match["separator"] == "." else list(DateOrder)
        for order in orders:
            year, month, day = {DateOrder.MDY: (c, a, b), DateOrder.DMY: (c, b, a), DateOrder.YMD: (a, b, c)}[order]
            if (
                len(year) in {2, 4}
                and len(day) <= len("31")
                and (found := self._day(match, year, int(month), int(day)))
            ):
                yield found

    def _date_of(self, match: re.Match[str]) -> date | None:
        groups = match.groupdict()
        name = groups.get("month_name")
        month = _MONTH_NUMBERS.get(name.lower(), 0) if name else int(groups["month"])
        return self._day(match, groups["year"], month, int(groups["day"]))

    def _day(self, match: re.Match[str], year: str, month: int, day: int) -> date | None:
        """Return the day, in the time zone if the text has an offset. Return None if it does not exist."""
        groups = match.groupdict()
        try:
            moment = datetime(_full_year(year), month, day, *_time(groups), tzinfo=_offset(groups))
            return (moment.astimezone(self._zone) if moment.tzinfo else moment).date()
        except (ValueError, OverflowError):
            return None


def _full_year(text: str) -> int:
    number = int(text)
    if len(text) == len("2026"):
        return number
    return number + (2000 if number <= _LAST_YEAR_OF_THIS_CENTURY else 1900)


def _time(groups: dict[str, str | None]) -> tuple[int, int, int]:
    """Return the time of the day. Raises ValueError."""
    hour, half = int(groups.get("hour") or 0), groups.get("half")
    if half:
        if not 1 <= hour <= _HOURS_OF_HALF_DAY:
            raise ValueError(hour)
        hour = hour % _HOURS_OF_HALF_DAY + (_HOURS_OF_HALF_DAY if half.lower() == "p" else 0)
    return hour, int(groups.get("minute") or 0), int(groups.get("second") or 0)


def _offset(groups: dict[str, str | None]) -> tzinfo | None:
    """Return the time zone of the text; None if it has none. Raises ValueError."""
    if sign := groups.get("sign"):
        hours, minutes = int(groups["offset_hours"] or 0), int(groups["offset_minutes"] or 0)
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(-offset if sign == "-" else offset)
    return UTC if groups.get("utc") else None
