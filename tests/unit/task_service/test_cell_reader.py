"""Cells with a fixed set of values: words of other tools, and the page that lists them."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from chassis.kernel.errors import Invalid
from chassis.kernel.quoting import is_invisible
from task_service.imports.domain.cells.cell_reader import CellReader
from task_service.imports.domain.cells.label_cells import LABEL_COLORS
from task_service.imports.domain.options.row_options import RowOptions
from task_service.imports.domain.options.value_mapping import parse_value_mapping
from task_service.imports.domain.values.synonyms import (
    CANCELLING_RESOLUTIONS,
    PRIORITY_SYNONYMS,
    PRIORITY_WORDS,
    STATUS_SYNONYMS,
    STATUS_WORDS,
    TRUTH_VALUES,
    TRUTH_WORDS,
)

PAGE = (Path(__file__).parents[3] / "docs/imports.md").read_text()


def table(title: str) -> dict[str, str]:
    """Return the rows of the page's table with this header line."""
    rows = PAGE.split(f"| {title} |\n|---|---|\n", 1)[1].split("\n\n", 1)[0]
    return dict(re.findall(r"^\| `(.+?)` \| (.+) \|$", rows, re.MULTILINE))


def test_page_lists_the_words_of_other_tools():
    assert table("status | words") == {key: ", ".join(words) for key, words in STATUS_SYNONYMS.items()}
    assert table("priority | words") == {key: ", ".join(words) for key, words in PRIORITY_SYNONYMS.items()}
    assert table("status | truth values") == {
        key: ", ".join(f"`{word}`" for word in words) for key, words in TRUTH_VALUES.items()
    }
    assert f"is one of: {', '.join(CANCELLING_RESOLUTIONS)}." in " ".join(PAGE.split())
    colors = PAGE.split("The colours are ", 1)[1].split(", also as", 1)[0].replace("\n", " ").replace(" and ", ", ")
    assert set(colors.split(", ")) == {color for color in LABEL_COLORS if " " not in color}


def test_each_word_has_one_meaning():
    for synonyms, words in (
        (STATUS_SYNONYMS, STATUS_WORDS),
        (PRIORITY_SYNONYMS, PRIORITY_WORDS),
        (TRUTH_VALUES, TRUTH_WORDS),
    ):
        assert len(words) == sum(map(len, synonyms.values()))
    assert not STATUS_WORDS.keys() & TRUTH_WORDS.keys()


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Done", "completed"),
        ("CLOSED", "completed"),
        ("to-do", "pending"),
        ("ToDo", "pending"),
        ("not_started", "pending"),
        ("In  Review", "in_progress"),
        ("IN-PROCESS", "in_progress"),
        ("won\u2019t do", "cancelled"),
        ("Wont Do", "cancelled"),
        ("\N{WHITE HEAVY CHECK MARK} Done", "completed"),
        ("\N{LARGE BLUE CIRCLE} To do", "pending"),
        ("1. To Do", "pending"),
        ("02 - In progress", "in_progress"),
        ("(3) Done", "completed"),
        ("4) \N{WHITE HEAVY CHECK MARK} Done", "completed"),
        ("0%", "pending"),
        ("33.3 %", "in_progress"),
        ("0,5%", "in_progress"),
        ("100.00%", "completed"),
        *((word, None) for word in ("101%", "50", "%", "1. 2. Done", "1. x", "123. Done", "1 Done", "1.5 Done")),
        *((word, None) for word in ("Blocked", "On hold", "Waiting", "Ready", "Deferred", "Active", "1", "TRUE", "x")),
        *((word, None) for word in ("\N{WHITE HEAVY CHECK MARK}", "-", "'", "Done?", "Not done", "d" * 300)),
    ],
)
def test_status_words_of_other_tools(word, status):
    errors: list[Invalid] = []
    assert CellReader(RowOptions(), "Status").status(word, errors) == status
    assert [error.reason for error in errors] == ([] if status else ["UNKNOWN_STATUS"])


@pytest.mark.parametrize(
    ("word", "priority"),
    [
        ("P0", "urgent"),
        ("p1", "urgent"),
        ("P2", "high"),
        ("P3", "medium"),
        ("P4", "low"),
        ("Highest", "urgent"),
        ("Lowest", "low"),
        ("Normal", "medium"),
        ("No priority", "none"),
        ("\N{LARGE RED CIRCLE} High", "high"),
        ("1 - High", "high"),
        ("(2) Normal", "medium"),
        ("Low Priority", "low"),
        ("High (1)", "high"),
        ("2 (Medium)", "medium"),
        *((word, None) for word in ("(1)", "1.", "P1 - High", "50%", "1 (2)", "High (soon)", "High (123)", "()")),
        *((word, None) for word in ("1", "4", "5", "P5", "!!", "Blocked", "Priority 1")),
    ],
)
def test_priority_words_of_other_tools(word, priority):
    errors: list[Invalid] = []
    assert CellReader(RowOptions()).priority(word, errors) == priority
    assert [error.reason for error in errors] == ([] if priority else ["UNKNOWN_PRIORITY"])


@pytest.mark.parametrize(
    "column", ["Done", "is_done", "Completed", "Due Complete", "FINISHED", "Done?", "\N{CHECK MARK}"]
)
def test_truth_value_is_a_status_where_it_is_asked_for(column):
    reader = CellReader(RowOptions(), column)
    for status, words in TRUTH_VALUES.items():
        assert [reader.status(word, []) for word in words] == [status] * len(words)
    assert reader.status("In progress", []) == "in_progress"
    assert reader.status("1. x", []) is None


@pytest.mark.parametrize(("field", "value"), [("status", "pending"), ("priority", "medium")])
def test_option_of_an_error_maps_the_word(field, value):
    """The client copies the option from the message."""
    errors: list[Invalid] = []
    word = 'Someday, "maybe" \u00e4\u200b\U000e0041'
    getattr(CellReader(RowOptions()), field)(word, errors)
    option = errors[0].message.partition("value_mapping=")[2].removesuffix(".")
    assert not any(map(is_invisible, option))
    assert getattr(CellReader(RowOptions(value_mapping=parse_value_mapping(option))), field)(word, []) == value


def test_error_quotes_the_word_and_names_the_option():
    errors: list[Invalid] = []
    assert CellReader(RowOptions()).status("Who\0knows" + "?" * 100, errors) is None
    cut = "?" * 31
    assert errors[0].message == (
        f"Unknown status 'Who<U+0000>knows{cut}'. Use pending, in_progress, completed or cancelled, or map it with"
        f' value_mapping={{"status": {{"Who\\u0000knows{cut}": "pending"}}}}.'
    )


NOW = datetime(2026, 12, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        (" 2026-12-31T09:30:00Z ", NOW.replace(hour=9, minute=30)),
        ("2026-12-31T12:00:00Z", NOW),
        (("2026-12-31 09:30", "Europe/Berlin"), NOW.replace(hour=8, minute=30)),
        ("", None),
    ],
)
def test_completion_is_a_moment_of_the_past(cell, moment):
    reader = CellReader(RowOptions(), now=NOW)
    assert reader.completed_at(cell) == moment
    assert reader.unknown_cells == set()


@pytest.mark.parametrize("cell", ["2026-12-31T12:00:01Z", "1899-12-31T23:59:59Z", "soon", "1/5/2026", ("soon", "UTC")])
def test_completion_without_a_moment_of_the_past_is_empty(cell):
    reader = CellReader(RowOptions(), now=NOW)
    assert reader.completed_at(cell) is None
    assert reader.unknown_cells == {("completed_at", cell)}


def test_due_date_is_in_the_time_zone_of_the_row():
    reader = CellReader(RowOptions())
    assert reader.due_date(("2026-12-30T23:00:00+0000", "Europe/Berlin"), []) == date(2026, 12, 31)
    assert reader.due_date("2026-12-30T23:00:00+0000", []) == date(2026, 12, 30)
