"""Dates as other tools write them. No text is guessed."""

import re
from contextlib import suppress
from datetime import UTC, date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.errors import Invalid
from task_service.imports.domain.options.row_options import RowOptions
from task_service.imports.domain.values import errors as value_errors
from task_service.imports.domain.values.date_formats import DATE_FORMAT_TOKENS, compile_date_format, parse_date_format
from task_service.imports.domain.values.dates import DateOrder, DateParser

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
        *((text, value_errors.UnreadableDate) for text in ("every mon", "soon", "-", "Foo 31, 2026", "2026-W01-1")),
        *((text, value_errors.UnreadableDate) for text in ("2026-02-30", "30.02.2026", "31/13/2026", "Feb 30, 2026")),
        *((text, value_errors.UnreadableDate) for text in ("36525", "73051", "1", "2026", "946684799", "4102444800")),
        *(
            (text, value_errors.UnreadableDate)
            for text in ("20261331", "31122026", "2026-12-31T25:00", "Dec 31, 2026 10")
        ),
        *((text, value_errors.UnreadableDate) for text in ("Dec 31, 2026 13:00 PM", "2026-12-31 10:00 PST")),
        *((text, value_errors.UnreadableDate) for text in ("0001-01-01T00:00:00+05:00", "2026-12-31T00:00:00-24:00")),
        *(
            (f"Dec 1, 2026 9:00 AM{text}", value_errors.UnreadableDate)
            for text in (
                " → soon",
                " → 8:00 AM",
                " → ",
                "→ Dec 2, 2026",
                " → Dec 2, 2026 → Dec 3, 2026",
                " to Dec 2, 2026",
            )
        ),
        *((f"{text} → Dec 31, 2026", value_errors.UnreadableDate) for text in ("soon", "", "Feb 30, 2026")),
        *((text, value_errors.AmbiguousDate) for text in ("1/5/2027 → 12/31/2027", "12/31/2026 → 1/5/2027")),
        *((text, value_errors.UnreadableDate) for text in ("2026-12-31" + " " * 100 + "x", "1" * 5000, "1/" * 5000)),
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
        with pytest.raises(value_errors.UnreadableDate):
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
        with pytest.raises(value_errors.UnreadableDate):
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


def test_format_and_order_contradict_each_other():
    with pytest.raises(value_errors.ContradictoryDateOptions):
        RowOptions(date_format="DD/MM/YYYY", date_order=DateOrder.MDY)
    assert compile_date_format("DD/MM/YYYY")
