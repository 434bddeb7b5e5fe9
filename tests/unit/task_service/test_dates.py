"""Dates as other tools write them. No text is guessed."""

import re
import weakref
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.errors import Invalid
from task_service.imports.domain.options.row_options import RowOptions
from task_service.imports.domain.values import errors as value_errors
from task_service.imports.domain.values.date_formats import DATE_FORMAT_TOKENS, compile_date_format, parse_date_format
from task_service.imports.domain.values.dates import DateOrder, DateParser, parse_time_zone

LAST_DAY = date(2026, 12, 31)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-12-31", "2026/12/31", "2026.12.31", "20261231", "31.12.2026", "31. 12. 2026", "31.12.26"),
        *("2026-12-31T23:59", "2026-12-31 23:59:59", "2026-12-31T23:59:59.999Z", "2026-12-31 10:00:00 UTC"),
        *("2026-12-31T10:00:00+01:00", "2026-12-31T10:00:00+0000", "20261231T235959Z", "20261231T2359"),
        *(
            "Dec 31, 2026",
            "December 31, 2026",
            "Dec. 31 2026",
            "31 Dec 2026",
            "31-Dec-26",
            "31-DEC-2026",
            "2026-Dec-31",
        ),
        *("December 31st, 2026", "31st of December 2026", "Thursday, December 31, 2026", "Thu, 31 Dec 2026"),
        *("31/Dec/26 12:00 AM", "December 31, 2026 9:00 PM", "Dec 31, 2026, 9am", "Dec 31, 2026\u202f9:00\u202fPM"),
        *("Thu, 31 Dec 2026 10:00:00 GMT", "Thu Dec 31 2026 10:00:00 GMT+0100 (Central European Standard Time)"),
        *(
            "12/31/2026",
            "31/12/2026",
            "12-31-2026",
            "12/31/26",
            "12/31/2026 11:59 PM",
            "31/12/2026, 23:59:59",
            "Thu 12/31/26",
        ),
        *("November 10, 2026 9:00 AM → December 31, 2026", "Nov 10, 2026 -> Dec 31, 2026 9:00 AM"),
        *("Dec 31, 2026 9:00 AM (GMT+1) → 10:00 AM", "12/31/2026, 9:00:00 AM GMT+1", "2026-12-31 09:12:00 UTC"),
        "Thu Dec 31 2026 00:00:00 GMT+0000 (Coordinated Universal Time)",
        *("46387", "46387.75", "1798675200", "1798675200000", "1798675200.5"),
    ],
)
def test_date_with_one_reading_is_taken(text):
    assert DateParser().parse(text) == LAST_DAY


@pytest.mark.parametrize(
    ("text", "error"),
    [
        *((text, value_errors.AmbiguousDate) for text in ("1/5/2027", "05-01-2026", "1/5/27 10:00", "31/12/26")),
        *((text, value_errors.DateWithoutYear) for text in ("31 Dec", "Dec 31", "12/31", "31.12.", "Thu, 31 Dec")),
        *((text, value_errors.MalformedDate) for text in ("every mon", "soon", "-", "Foo 31, 2026", "2026-W01-1")),
        *((text, value_errors.MalformedDate) for text in ("2026-02-30", "30.02.2026", "31/13/2026", "Feb 30, 2026")),
        *((text, value_errors.MalformedDate) for text in ("36525", "73051", "1", "2026", "946684799", "4102444800")),
        *(
            (text, value_errors.MalformedDate)
            for text in ("20261331", "31122026", "2026-12-31T25:00", "Dec 31, 2026 10")
        ),
        *((text, value_errors.MalformedDate) for text in ("Dec 31, 2026 13:00 PM", "2026-12-31 10:00 PST")),
        *((text, value_errors.MalformedDate) for text in ("0001-01-01T00:00:00+05:00", "2026-12-31T00:00:00-24:00")),
        *(
            (f"Dec 1, 2026 9:00 AM{text}", value_errors.MalformedDate)
            for text in (
                " → soon",
                " → 8:00 AM",
                " → ",
                "→ Dec 2, 2026",
                " → Dec 2, 2026 → Dec 3, 2026",
                " to Dec 2, 2026",
            )
        ),
        *((f"{text} → Dec 31, 2026", value_errors.MalformedDate) for text in ("soon", "", "Feb 30, 2026")),
        *((text, value_errors.AmbiguousDate) for text in ("1/5/2027 → 12/31/2027", "12/31/2026 → 1/5/2027")),
        *((text, value_errors.MalformedDate) for text in ("2026-12-31" + " " * 100 + "x", "1" * 5000, "1/" * 5000)),
    ],
)
def test_date_without_one_reading_is_refused(text, error):
    with pytest.raises(error):
        DateParser().parse(text)


PAGE = (Path(__file__).parents[3] / "docs/imports.md").read_text()


def test_page_lists_forms_as_they_are_read():
    rows = PAGE.split("| form | due date |\n|---|---|\n", 1)[1].split("\n\n", 1)[0].splitlines()
    for row in rows:
        _, forms, meaning, _ = row.split("|")
        for text in re.findall("`(.+?)`", forms):
            try:
                read = str(DateParser().parse(text))
            except Invalid as error:
                read = error.reason
            assert read == "2026-12-31" or read in meaning
    tokens = PAGE.split("| token | meaning |\n|---|---|\n", 1)[1].split("\n\n", 1)[0]
    assert set(re.findall(r"`(\w+)`", tokens)) == set(DATE_FORMAT_TOKENS)


def test_numbers_of_excel_span_the_documented_years():
    assert [str(DateParser().parse(text)) for text in ("36526", "73050")] == ["2000-01-01", "2099-12-31"]


@pytest.mark.parametrize(("text", "year"), [("1-Jan-00", 2000), ("1-Jan-68", 2068), ("1-Jan-69", 1969)])
def test_two_digit_years_begin_in_1969(text, year):
    assert DateParser().parse(text) == date(year, 1, 1)


@pytest.mark.parametrize(
    ("order", "text", "day"),
    [
        (DateOrder.MDY, "1/5/2027", "2027-01-05"),
        (DateOrder.DMY, "1/5/2027", "2027-05-01"),
        (DateOrder.DMY, "1-5-27 10:00", "2027-05-01"),
        (DateOrder.YMD, "27/1/5", "2027-01-05"),
        (DateOrder.MDY, "4.3.2026", "2026-04-03"),
        (DateOrder.DMY, "2027/1/5", "2027-01-05"),
        (DateOrder.MDY, "31/12/2026", None),
        (DateOrder.DMY, "12/31/2026", None),
        (DateOrder.YMD, "1/5/2027", None),
    ],
)
def test_order_decides_dates_of_three_numbers(order, text, day):
    parser = DateParser(order=order)
    if day:
        assert str(parser.parse(text)) == day
    else:
        with pytest.raises(value_errors.MalformedDate):
            parser.parse(text)


@pytest.mark.parametrize(
    ("date_format", "text", "day"),
    [
        ("DD/MM/YYYY", "01/05/2027", "2027-05-01"),
        ("D/M/YY", "1/5/27", "2027-05-01"),
        ("MMM D, YYYY h:mm A", "Dec 31, 2026  9:00 pm", "2026-12-31"),
        ("dddd, Do MMMM YYYY", "Thursday, 31st December 2026", "2026-12-31"),
        ("YYYY-MM-DDTHH:mm:ssZ", "2026-12-31T23:30:00-01:00", "2027-01-01"),
        ("[due] DD.MM.YYYY", "due 04.03.2026", "2026-03-04"),
        ("YYYY-DD-MM", "2026-05-06", "2026-06-05"),
        ("YYYYMMDD", "20270105", "2027-01-05"),
        ("DD/MM/YYYY", "2026-12-31", "2026-12-31"),
        ("DD/MM/YYYY", "Dec 31, 2026", "2026-12-31"),
        ("DD/MM/YYYY", "12/31/2026", None),
        ("DD/MM/YYYY", "1.2.2026", None),
        ("YYYY-DD-MM", "2026-12-31", None),
    ],
)
def test_format_decides_dates(date_format, text, day):
    parser = DateParser(date_format)
    if day:
        assert str(parser.parse(text)) == day
    else:
        with pytest.raises(value_errors.MalformedDate):
            parser.parse(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("dd.mm.yyyy", "it has the unknown token 'dd'"),
        ("DD/MM", "it needs a year, a month and a day"),
        ("DD/MM/YYYY YY", "a part of the date or time occurs twice"),
        ("DD/MM/MMM/YYYY", "a part of the date or time occurs twice"),
        ("(" * 9, "it needs a year, a month and a day"),
        ("[DD/MM/YYYY", None),
        ("DD/MM/YYYY[\0]", "it has a control character"),
        ("D" * 65, "it is longer than 64 characters"),
        ("DD/MM/YYYY week", "it has the unknown token 'week'"),
    ],
)
def test_malformed_format_is_refused(text, problem):
    if problem is None:
        assert parse_date_format(text) == text
        return
    with pytest.raises(value_errors.MalformedDateFormat) as caught:
        parse_date_format(text)
    assert caught.value.field == "date_format"
    assert caught.value.message.startswith(f"Malformed date_format: {problem}. ")


@given(
    st.lists(st.sampled_from([*DATE_FORMAT_TOKENS, *"/.-,: []()\\*+?T\0"]), max_size=9).map("".join),
    st.text(max_size=30),
)
def test_any_format_is_compiled_or_refused(date_format, text):
    with suppress(Invalid):
        assert isinstance(DateParser(parse_date_format(date_format)).parse(text), date)


PIECES = ["31", "12", "5", "2026", "26", "9999", "0001", "Dec", "Thu", "th", "of", "at", "T", "Z", "GMT", "AM", "pm"]


@given(
    st.lists(st.sampled_from([*PIECES, *" /-.,:+()→>"]), max_size=20).map("".join),
    st.sampled_from([None, *DateOrder]),
    st.sampled_from(["", "Europe/Berlin", "Pacific/Kiritimati"]),
)
def test_any_text_is_a_date_or_an_error(text, order, zone):
    with suppress(Invalid):
        assert isinstance(DateParser(order=order, time_zone=zone).parse(text), date)
    with suppress(Invalid):
        assert DateParser(order=order, time_zone=zone).parse_moment(text).tzinfo is UTC


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)))
def test_written_dates_are_read_back(day):
    for text in (
        f"{day:%Y/%m/%d}",
        f"{day:%d.%m.%Y}",
        f"{day:%B} {day.day}, {day.year}",
        f"{day:%d-%b-%Y}",
        f"{day:%Y%m%d}",
    ):
        assert DateParser().parse(text) == day
    for order, text in ((DateOrder.MDY, f"{day:%m/%d/%Y}"), (DateOrder.DMY, f"{day:%d/%m/%Y}")):
        assert DateParser(order=order).parse(text) == day
        try:
            assert DateParser().parse(text) == day
        except value_errors.AmbiguousDate:
            assert day.day != day.month
            assert day.day <= 12


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
        *((text, value_errors.MalformedDate) for text in ("soon", "2026-12-31T25:00", "0001-01-01", "9:00 AM")),
        *((f"Dec 31, 2026 9:00 AM ({zone})", value_errors.MalformedDate) for zone in ("EST", "Pacific Time")),
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
    "name", ["Mars/Olympus", "../../etc/passwd", "Europe", "/etc/localtime", "\0", "CEST", "x" * 9999]
)
def test_unknown_time_zone_is_refused(name):
    with pytest.raises(value_errors.UnknownTimeZone):
        parse_time_zone(name)
    assert [parse_time_zone(known) for known in ("", " Europe/Berlin", "UTC")] == ["", "Europe/Berlin", "UTC"]


def test_format_and_order_contradict_each_other():
    with pytest.raises(value_errors.ContradictoryDateOptions):
        RowOptions(date_format="DD/MM/YYYY", date_order=DateOrder.MDY)
    assert compile_date_format("DD/MM/YYYY")


def test_unknown_time_zone_is_not_retained():
    """A cell may have a megabyte, so a cache of such names would fill the memory."""

    class Name(str):
        __slots__ = ("__weakref__",)

    name = Name("Mars/Olympus Mons")
    reference = weakref.ref(name)
    assert DateParser().parse("2026-12-31T10:00:00Z", name) == LAST_DAY
    del name
    assert reference() is None
