"""Parsing of dates."""

from datetime import date

import pytest

from task_service.tasks.domain.values import parse_date


def test_calendar_date_is_parsed():
    assert parse_date("2026-03-31") == date(2026, 3, 31)
    assert parse_date("0001-01-01") == date.min


@pytest.mark.parametrize(
    "text", ["", "20260331", "2026-W14-2", "2026W142  ", "2026-02-30", "2026-3-31 ", "26-03-31", "2026-03-31T00:00"]
)
def test_other_iso_8601_formats_are_rejected(text):
    assert parse_date(text) is None
