"""Parsing of dates."""

from datetime import date

import pytest

from chassis.kernel.errors import Invalid
from task_service.tasks.domain.values import (
    parse_date,
    validate_description,
    validate_external_id,
    validate_labels,
    validate_title,
)

NFC, NFD = "é", "e\u0301"
LONGER_IN_NFC = "\u0958"
"""Devanagari qa, which has two characters in NFC."""


def test_calendar_date_is_parsed():
    assert parse_date("2026-03-31") == date(2026, 3, 31)
    assert parse_date("0001-01-01") == date.min


@pytest.mark.parametrize(
    "text", ["", "20260331", "2026-W14-2", "2026W142  ", "2026-02-30", "2026-3-31 ", "26-03-31", "2026-03-31T00:00"]
)
def test_other_iso_8601_formats_are_rejected(text):
    assert parse_date(text) is None


def test_external_ids_and_labels_are_in_nfc():
    """Two spellings of one id are one id. Titles and descriptions stay as sent: NFC changes some Japanese names."""
    errors: list[Invalid] = []
    assert validate_external_id(f" {NFD} ", errors) == NFC
    assert validate_labels([NFD, NFC, f"{NFD} "], errors) == (NFC,)
    assert validate_title(NFD, errors) == validate_description(NFD, errors) == NFD
    assert errors == []


@pytest.mark.parametrize(
    ("text", "length"), [(NFD * 200, 0), (NFD * 201, 201), (LONGER_IN_NFC * 100, 0), (LONGER_IN_NFC * 101, 202)]
)
def test_length_of_an_external_id_is_its_length_in_nfc(text, length):
    errors: list[Invalid] = []
    validate_external_id(text, errors)
    assert [error.message for error in errors] == (
        [f"The external_id has {length} characters. The maximum is 200."] if length else []
    )


def test_length_of_a_label_is_its_length_in_nfc():
    errors: list[Invalid] = []
    assert validate_labels([NFD * 64], errors) == (NFC * 64,)
    assert errors == []
    validate_labels([LONGER_IN_NFC * 33], errors)
    assert [error.reason for error in errors] == ["LABEL_TOO_LONG"]


def test_text_that_is_far_too_long_is_not_normalized():
    """Normalization of a million combining marks would take hours."""
    errors: list[Invalid] = []
    marks = "\u0301\u0327" * 500_000
    assert validate_external_id(marks, errors) == marks
    assert validate_labels([marks], errors) == (marks,)
    assert [error.reason for error in errors] == ["TOO_LONG", "LABEL_TOO_LONG"]
