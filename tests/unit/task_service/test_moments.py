"""Times as other tools write them, and time zones: the moment of a text, and the day of a moment."""

import weakref
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_service.imports.domain.values import errors as value_errors
from task_service.imports.domain.values.dates import DateParser, parse_time_zone


@pytest.mark.parametrize(
    ("zone", "text", "day"),
    [
        ("", "2026-12-31T23:30:00Z", "2026-12-31"),
        ("Europe/Berlin", "2026-12-31T23:30:00Z", "2027-01-01"),
        ("Europe/Berlin", "2026-12-31T23:30:00", "2026-12-31"),
        ("America/New_York", "2026-12-31T00:00:00+00:00", "2026-12-30"),
        ("America/New_York", "2026-12-31", "2026-12-31"),
        ("Europe/Berlin", "1798759800", "2027-01-01"),
        ("", "1798759800", "2026-12-31"),
    ],
)
def test_moment_is_the_day_in_the_time_zone(zone, text, day):
    assert str(DateParser(time_zone=zone).parse(text)) == day


@pytest.mark.parametrize(
    ("row_zone", "day"),
    [
        ("Europe/Berlin", "2026-12-31"),
        (" Europe/Berlin ", "2026-12-31"),
        *((name, "2026-12-30") for name in ("", "UTC", "Mars/Olympus", "Europe", "../../etc/passwd", "\0", "x" * 9999)),
    ],
)
def test_zone_of_the_row_goes_before_the_option(row_zone, day):
    assert str(DateParser().parse("2026-12-30T23:00:00+0000", row_zone)) == day
    assert str(DateParser(time_zone="Europe/Berlin").parse("2026-12-30T23:00:00+0000", "Mars")) == "2026-12-31"
    assert str(DateParser(time_zone="Europe/Berlin").parse("2026-12-30T23:00:00+0000", "UTC")) == "2026-12-30"


@pytest.mark.parametrize(
    ("zone", "text", "moment"),
    [
        ("", "2026-12-31", "2026-12-31T00:00"),
        ("Europe/Berlin", "2026-12-31", "2026-12-30T23:00"),
        ("Europe/Berlin", "2026-07-01 09:00", "2026-07-01T07:00"),
        ("Europe/Berlin", "2026-07-01 09:00:00.5Z", "2026-07-01T09:00:00.500000"),
        ("Europe/Berlin", "2026-07-01T09:00:00,123456789+0530", "2026-07-01T03:30:00.123456"),
        ("", "2026-11-10 09:12:00 UTC", "2026-11-10T09:12"),
        ("", "31/Dec/26 12:05 AM", "2026-12-31T00:05"),
        ("", "12/31/2026, 9:00:00 AM GMT+1", "2026-12-31T08:00"),
        ("", "Mon Jan 05 2026 10:00:00 GMT+0100 (Central European Standard Time)", "2026-01-05T09:00"),
        ("Asia/Tokyo", "Thu Dec 31 2026 00:00:00 GMT+0000 (Coordinated Universal Time)", "2026-12-31T00:00"),
        ("", "Mon Jan 05 2026 10:00:00 GMT+0100 (heure d\u2019Europe centrale)", "2026-01-05T09:00"),
        ("Europe/Berlin", "December 1, 2026 9:00 AM \u2192 December 2, 2026", "2026-12-01T23:00"),
        ("", "December 1, 2026 9:00 AM (GMT+1) \u2192 10:30 AM", "2026-12-01T09:30"),
        ("", "December 1, 2026 9:00 AM \u2192 10:30 AM (GMT+1)", "2026-12-01T09:30"),
        ("Europe/Berlin", "1798675200", "2026-12-31T00:00"),
        ("Europe/Berlin", "1798675200123", "2026-12-31T00:00:00.123000"),
        ("", "1798675200.25", "2026-12-31T00:00:00.250000"),
        ("Europe/Berlin", "46387.75", "2026-12-31T17:00"),
        ("", "46387.3958333333", "2026-12-31T09:30"),
        ("", "46387.9999999999", "2026-12-31T23:59:59.999000"),
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T00:30"),
    ],
)
def test_time_of_a_text_is_a_moment(zone, text, moment):
    found = DateParser(time_zone=zone).parse_moment(text)
    assert (found, found.tzinfo) == (datetime.fromisoformat(moment).replace(tzinfo=UTC), UTC)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1/5/2027 10:00", value_errors.AmbiguousDate),
        ("31 Dec", value_errors.DateWithoutYear),
        *((text, value_errors.UnreadableDate) for text in ("soon", "2026-12-31T25:00", "0001-01-01", "9:00 AM")),
        *((f"Dec 31, 2026 9:00 AM ({zone})", value_errors.UnreadableDate) for zone in ("EST", "Pacific Time")),
    ],
)
def test_moment_without_one_reading_is_refused(text, error):
    with pytest.raises(error):
        DateParser(time_zone="Europe/Berlin").parse_moment(text)


def test_format_with_a_time_gives_the_moment():
    parser = DateParser("DD/MM/YYYY HH:mm:ss.SSS", time_zone="Europe/Berlin")
    assert parser.parse_moment("01/05/2027 09:30:00.250") == datetime(2027, 5, 1, 7, 30, 0, 250_000, tzinfo=UTC)


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1900, 1, 2), datetime(2099, 12, 30), timezones=OFFSETS))  # noqa: DTZ001 - bounds
def test_written_moments_are_read_back(moment):
    text = moment.isoformat()
    assert DateParser().parse_moment(text) == moment
    assert DateParser(time_zone="Asia/Tokyo").parse_moment(text.replace("T", " ")) == moment
    assert DateParser().parse(text) == moment.astimezone(UTC).date()


@pytest.mark.parametrize(
    "name",
    ["Mars/Olympus", "../../etc/passwd", "Europe", "/etc/localtime", "localtime", "Factory", "\0", "CEST", "x" * 9999],
)
def test_unknown_time_zone_is_refused(name):
    with pytest.raises(value_errors.UnknownTimeZone):
        parse_time_zone(name)
    assert [parse_time_zone(known) for known in ("", " Europe/Berlin", "UTC")] == ["", "Europe/Berlin", "UTC"]


def test_unknown_time_zone_is_not_retained():
    """A cell may have a megabyte, so a cache of such names would fill the memory."""

    class Name(str):
        __slots__ = ("__weakref__",)

    name = Name("Mars/Olympus Mons")
    reference = weakref.ref(name)
    assert DateParser().parse("2026-12-31T10:00:00Z", name) == date(2026, 12, 31)
    del name
    assert reference() is None
