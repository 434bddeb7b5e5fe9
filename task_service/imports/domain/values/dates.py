"""Dates and times as other tools write them. A text that can be two dates is an error, whatever other rows show."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from chassis.kernel.quoting import quote
from task_service.imports.domain.values.date_formats import MONTH, OFFSET, compile_date_format
from task_service.imports.domain.values.date_groups import datetime_of, datetime_on
from task_service.imports.domain.values.errors import AmbiguousDate, DateWithoutYear, UnknownTimeZone, UnreadableDate
from task_service.tasks.domain.values import parse_date

MAX_DATE_CHARACTERS = 100

EXCEL_SERIALS = range(36_526, 73_051)
"""Days since 1899-12-30 as Excel stores them: 2000-01-01 to 2099-12-31."""

_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a serial number has no time zone
_EPOCH_SECONDS = range(946_684_800, 4_102_444_800)
"""Seconds since 1970: the same years as EXCEL_SERIALS, so that no number has two meanings."""
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The expressions match texts with single spaces: several optional runs of spaces would take quadratic time or more.
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,? )?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4}|\d{2})"
_TIME = (
    r"(?:(?:t| ?,? (?:at )?)(?P<hour>\d{1,2})"
    # An hour needs minutes or a half of the day: "Dec 31, 2026 10" is no time.
    r"(?=:| ?[ap])(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    rf"(?: ?(?P<half>[ap])\.?m\.?)? ?\(?{OFFSET}\)?(?: ?\([^()]+\))?)?"
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
_YEAR_FIRST_FORMS = _compile(
    r"(?P<year>\d{4})([-/.]) ?(?P<month>\d{1,2})\2 ?(?P<day>\d{1,2})",
    # Chinese, Japanese and Korean name the numbers, so these have one reading.
    r"(?P<year>\d{4}) ?[年년] ?(?P<month>\d{1,2}) ?[月월] ?(?P<day>\d{1,2}) ?[日일]",
)
(_NUMBERS,) = _compile(
    rf"{_WEEKDAY}(?P<a>\d{{1,2}})(?P<separator>[-/.]) ?(?P<b>\d{{1,2}})(?P=separator) ?(?P<c>\d{{4}}|\d{{1,2}})"
)
_WITHOUT_YEAR = _compile(
    rf"{_WEEKDAY}{_DAY}\.?[ /-]{{1,3}}{MONTH}\.?",
    rf"{_WEEKDAY}{MONTH}\.?[ /-]{{1,3}}{_DAY}",
    r"\d{1,2}[/.-]\d{1,2}\.?",
)
# Notion writes ranges. The end may be a time on the day of the start.
_RANGE = re.compile(r"([^→>]+) (?:→|->) ([^→>]+)")
_END_TIME = re.compile(_TIME, re.IGNORECASE)
# An abbreviation such as (EST) has no certain offset.
_ZONE_ABBREVIATION = re.compile(r"\([a-z ]+\)$", re.IGNORECASE)
_DAY_MILLISECONDS = 86_400_000
# MySQL writes zeros for no date, Go and .NET the year 1, spreadsheets of Windows the end of 1899.
_ZERO_YEAR = "(?:0001|1899)"
_ZERO_DATE = re.compile(
    rf"[-+0:./,TZ ]*$|{_ZERO_YEAR}[-/.]\d{{1,2}}[-/.]\d|\d{{1,2}}[-/.]\d{{1,2}}[-/.]{_ZERO_YEAR}\b", re.ASCII
)


class DateOrder(StrEnum):
    """Order of the numbers in a date."""

    MDY = "mdy"
    DMY = "dmy"
    YMD = "ymd"


def is_zero_date(text: str) -> bool:
    """Return True for a text that other tools write for no date, such as 0, 0000-00-00 and 0001-01-01T00:00:00Z."""
    # Most texts have none of these, and a search for them takes a third of the time.
    if "000" not in text and "1899" not in text and text.strip("-+0:./,TZ "):
        return False
    return "0" in text and _ZERO_DATE.match(text.strip()) is not None


def parse_time_zone(name: str) -> str:
    """Return the name of the time zone. Raises UnknownTimeZone."""
    name = name.strip()
    if name and name not in _zone_names():
        raise UnknownTimeZone
    return name


_NO_ZONES = {"localtime", "Factory"}
"""Names in the database of time zones that are no zones: that of the server's machine, and "not configured"."""


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset((available_timezones() | {"UTC"}) - _NO_ZONES)


def _find_zone(name: str) -> tzinfo | None:
    """Return the time zone with this name; None if there is none. Unknown names are not cached: they may be long."""
    name = name.strip()
    return ZoneInfo(name) if name in _zone_names() else None


class DateParser:
    """Parser of dates and times. A text with an offset is a moment, others are in the time zone.

    `parse` and `parse_moment` raise UnreadableDate, AmbiguousDate and DateWithoutYear. A range is its end. Their `zone`
    is a time zone of the row, which replaces the one of the options; an unknown name is ignored.
    """

    def __init__(self, date_format: str = "", order: DateOrder | None = None, time_zone: str = "") -> None:
        self._format = compile_date_format(date_format) if date_format else None
        self._order = order
        self._zone: tzinfo = ZoneInfo(time_zone) if time_zone not in {"", "UTC"} else UTC
        # With a format, other orders of numbers would contradict it.
        self._forms = _FORMS if date_format.startswith("YY") else (*_YEAR_FIRST_FORMS, *_FORMS)

    def parse(self, text: str, zone: str = "") -> date:
        """Return the date in a text. The date of a moment is the one in the time zone."""
        # The usual form of a date is read without the expressions.
        if self._format is None and (plain_date := parse_date(text)):
            return plain_date
        found = self._read(text)
        if found.tzinfo is None:
            return found.date()
        try:
            return found.astimezone(self._zone_of(zone)).date()
        except OverflowError:
            raise _malformed(text) from None

    def is_date(self, text: str) -> bool:
        """Return True if the text is a date, also an ambiguous one."""
        try:
            self.parse(text)
        except AmbiguousDate:
            return True
        except (UnreadableDate, DateWithoutYear):
            return False
        return True

    def parse_moment(self, text: str, zone: str = "") -> datetime:
        """Return the moment in a text, in UTC. A date without a time is its midnight in the time zone."""
        found = self._read(text)
        if found.tzinfo is None and _ZONE_ABBREVIATION.search(text.strip()):
            raise _malformed(text)
        try:
            return (found if found.tzinfo else found.replace(tzinfo=self._zone_of(zone))).astimezone(UTC)
        except OverflowError:
            raise _malformed(text) from None

    def _zone_of(self, name: str) -> tzinfo:
        return (_find_zone(name) if name else None) or self._zone

    def _read(self, text: str) -> datetime:
        """Return the date and time in a text, with the text's offset if it has one."""
        found = self._find(" ".join(text.split())) if len(text) <= MAX_DATE_CHARACTERS else None
        if found is None:
            raise _malformed(text)
        return found

    def _find(self, text: str) -> datetime | None:
        if self._format is not None and (match := self._format.fullmatch(text)):
            return datetime_of(match)
        if re.fullmatch(r"\d{1,16}(?:[.,]\d{1,10})?", text, re.ASCII) and (found := _from_number(text)):
            return found
        for form in self._forms:
            if match := form.fullmatch(text):
                return datetime_of(match)
        if match := _NUMBERS.fullmatch(text):
            return self._from_numbers(match)
        if match := _RANGE.fullmatch(text):
            return self._end_of_range(*match.groups())
        if any(form.fullmatch(text) for form in _WITHOUT_YEAR):
            raise DateWithoutYear(text=quote(text))
        return None

    def _end_of_range(self, start_text: str, end_text: str) -> datetime | None:
        start = self._find(start_text)
        if start is None:
            return None
        match = _END_TIME.fullmatch(f" {end_text}")
        if match is None:
            return self._find(end_text)
        end = datetime_on(match, f"{start.year:04}", start.month, start.day)
        if end is None or end.time() < start.time():
            return None
        return end.replace(tzinfo=end.tzinfo or start.tzinfo)

    def _from_numbers(self, match: re.Match[str]) -> datetime | None:
        found = set(self._readings(match))
        if len(found) > 1:
            first, second, *_ = sorted(found)
            raise AmbiguousDate(text=quote(match[0]), first=first.date(), second=second.date())
        return next(iter(found), None)

    def _readings(self, match: re.Match[str]) -> Iterator[datetime]:
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
                and (found := datetime_on(match, year, int(month), int(day)))
            ):
                yield found


def _malformed(text: str) -> UnreadableDate:
    return UnreadableDate(text=quote(text))


def _from_number(text: str) -> datetime | None:
    """Return the local time of an Excel serial number, or the moment of seconds or milliseconds since 1970."""
    number = Decimal(text.replace(",", "."))
    if int(number) in EXCEL_SERIALS:
        # The fraction of the day is rounded to milliseconds, because 9:30 is 0.3958333333. It stays on its day.
        milliseconds = min(round(number % 1 * _DAY_MILLISECONDS), _DAY_MILLISECONDS - 1)
        return _EXCEL_EPOCH + timedelta(days=int(number), milliseconds=milliseconds)
    for seconds in (number, number / 1000):
        if int(seconds) in _EPOCH_SECONDS:
            return _UNIX_EPOCH + timedelta(microseconds=int(seconds * 1_000_000))
    return None
