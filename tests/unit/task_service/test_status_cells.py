"""The status of a row, from the cells of several columns."""

from uuid import UUID

import pytest

from task_service.imports.domain.columns.mapping import parse_mapping
from task_service.imports.domain.columns.matching import match_columns
from task_service.imports.domain.imports import Checkpoint, Defaults
from task_service.imports.domain.options.row_options import OnUnknownValue
from task_service.imports.domain.options.value_mapping import parse_value_mapping
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.conversion import convert_rows
from task_service.imports.domain.rows.ingest_context import IngestContext
from tests.unit.task_service.converted_rows import ACTOR, NOW, changes_of, convert_row, errors_of, values_of


@pytest.mark.parametrize(
    ("status", "done", "expected"),
    [
        ("Not started", "Yes", "completed"),
        ("In progress", "x", "completed"),
        ("", "TRUE", "completed"),
        ("Cancelled", "Yes", "cancelled"),
        ("In progress", "No", "in_progress"),
        ("Done", "No", "completed"),
        ("", "No", "in_progress"),
        ("", "", "in_progress"),
        ("To do", "", "pending"),
        ("To do", "2026-11-10", "completed"),
        ("To do", "2026-11-10T08:15:00.000Z", "completed"),
        ("To do", "1/5/2027", "completed"),
        ("To do", "Cancelled", "cancelled"),
        ("", "In progress", "in_progress"),
        ("In progress", "To do", "in_progress"),
    ],
)
def test_done_wins_over_an_open_status(status, done, expected):
    """The default status stands for an empty status cell."""
    found = values_of({"Status": status, "Done": done}, defaults=Defaults("in_progress"))
    assert found.status == expected


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        ("Yes", "completed"),
        ("No", "pending"),
        ("", "in_progress"),
        ("Doing", "in_progress"),
        ("2026-11-10", "completed"),
    ],
)
def test_done_alone_gives_the_status(done, expected):
    assert values_of({"Done": done}, defaults=Defaults("in_progress")).status == expected


def test_unknown_word_in_done_is_an_error_with_its_value():
    assert errors_of({"Status": "", "Done": "3/5"}) == [("done", "UNKNOWN_STATUS", "3/5")]
    assert errors_of({"Status": "Blocked", "Done": "perhaps"}) == [
        ("status", "UNKNOWN_STATUS", "Blocked"),
        ("done", "UNKNOWN_STATUS", "perhaps"),
    ]


def test_unknown_word_in_done_changes_no_stated_status():
    assert values_of({"Status": "To do", "Completed": "3/5"}).status == "pending"


def test_value_mapping_of_status_also_reads_done():
    mapped = parse_value_mapping('{"status": {"3/5": "in_progress", "100%": "completed", "n/a": null}}')
    assert values_of({"Done": "3/5"}, value_mapping=mapped).status == "in_progress"
    assert values_of({"Status": "To do", "Done": "100%"}, value_mapping=mapped).status == "completed"
    assert values_of({"Status": "To do", "Done": "n/a"}, value_mapping=mapped).status == "pending"


def test_unknown_word_in_done_may_count_as_empty():
    found = convert_row({"Status": "Doing", "Done": "perhaps"}, on_unknown_status=OnUnknownValue.DEFAULT)
    assert (found.accepted[0].status, found.unknown_fields) == ("in_progress", ["status"])


@pytest.mark.parametrize(
    ("status", "completed_at", "expected"),
    [
        ("Doing", "2026-11-10", "completed"),
        ("", "2026-11-10", "completed"),
        ("Cancelled", "2026-11-10", "cancelled"),
        ("Doing", " ", "in_progress"),
    ],
)
def test_completion_date_completes_an_open_task(status, completed_at, expected):
    assert values_of({"Status": status, "Completed At": completed_at}).status == expected


@pytest.mark.parametrize(
    ("status", "resolution", "expected"),
    [
        ("Done", "Won't Do", "cancelled"),
        ("Done", "duplicate", "cancelled"),
        ("Done", "Cannot Reproduce", "cancelled"),
        ("Done", "Incomplete", "cancelled"),
        ("Done", "Fixed", "completed"),
        ("Done", "", "completed"),
        ("Done", "x" * 300, "completed"),
        ("To do", "Won't Do", "pending"),
        ("Done", "Later", "cancelled"),
        ("Done", "Invalid", "completed"),
    ],
)
def test_resolution_cancels_a_completed_task(status, resolution, expected):
    mapped = parse_value_mapping('{"status": {"Later": "cancelled", "Invalid": "pending"}}')
    found = values_of({"Status": status, "Resolution": resolution}, "resolution:Resolution", value_mapping=mapped)
    assert found.status == expected


@pytest.mark.parametrize(
    ("section", "status", "labels"),
    [
        ("Done", "completed", ("a",)),
        ("Garden", "pending", ("a", "Garden")),
        ("Garden, house", "pending", ("a", "Garden", "house")),
        ("Sprint 7", "in_progress", ("a",)),
        ("n/a", "pending", ("a",)),
        ("", "pending", ("a",)),
    ],
)
def test_section_is_a_status_or_a_label(section, status, labels):
    mapped = parse_value_mapping('{"status": {"Sprint 7": "in_progress", "n/a": null}}')
    found = values_of({"Section": section, "Tags": "a"}, "status_or_label:Section", value_mapping=mapped)
    assert (found.status, found.labels) == (status, labels)


@pytest.mark.parametrize(
    ("status", "section", "expected", "labels"),
    [
        ("Doing", "Done", "in_progress", ("Done",)),
        ("Doing", "Garden", "in_progress", ("Garden",)),
        ("", "Done", "completed", ()),
    ],
)
def test_section_is_a_label_beside_a_status(status, section, expected, labels):
    """Neither of two texts is lost."""
    found = values_of({"Status": status, "Section": section}, "status_or_label:Section")
    assert (found.status, found.labels) == (expected, labels)


def test_section_that_is_no_label_shows_its_value():
    assert errors_of({"Section": "y" * 65}, "status_or_label:Section") == [("labels", "LABEL_TOO_LONG", "y" * 65)]


def test_unread_completion_time_is_not_counted():
    """The counts of an import do not depend on the rows that are in one batch."""
    names, cells = ("title", "Completed At", "Resolution"), ["a", "x1", "Fixed", "b", "x1", "Duplicate"]
    fields = match_columns(names, parse_mapping("resolution:Resolution")).fields
    context = IngestContext(UUID(int=1), UUID(int=2), ACTOR, fields, columns=names)
    (converted,) = convert_rows(
        Batch(Checkpoint(0, 2, 0), Checkpoint(1, 4, 2), [2, 3], cells, {}), context, {}, now=NOW
    )
    assert [values.status for values in converted.accepted] == ["completed", "cancelled"]
    assert converted.unknown_fields == ["completed_at"]


def test_update_keeps_the_status_of_an_unknown_cell():
    options = {"on_unknown_status": OnUnknownValue.DEFAULT}
    assert changes_of({"Status": "?", "Done": ""}, **options) == {}
    assert changes_of({"Status": "?", "Done": "Yes"}, **options) == {"status": "completed"}
    mapped = parse_value_mapping('{"status": {"n/a": null}, "priority": {"n/a": null}}')
    assert changes_of({"Status": "n/a", "Priority": "n/a"}, value_mapping=mapped) == {}
