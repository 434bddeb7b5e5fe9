"""Values of a row from the cells of several columns."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from task_service.imports.domain.imports import Checkpoint
from task_service.imports.domain.options.row_options import OnUnknownAssignee, OnUnknownDate, parse_null_values
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.conversion import distinct_assignees
from tests.unit.task_service.converted_rows import changes_of, convert_row, errors_of, values_of


def test_time_zone_of_the_row_decides_the_day():
    row, mapping = {"Due": "2026-12-31T23:30:00Z"}, "time_zone:Zone"
    days = {"Europe/Berlin": "2027-01-01", "UTC": "2026-12-31", "": "2027-01-01", "?": "2027-01-01"}
    for zone, day in days.items():
        assert str(values_of({**row, "Zone": zone}, mapping, time_zone="Asia/Tokyo").due_date) == day
    assert str(values_of({"Zone": "Asia/Tokyo", "Due": "2026-12-31"}, mapping).due_date) == "2026-12-31"


def test_unreadable_date_with_a_time_zone_is_counted():
    row = {"Due": "soon", "Zone": "UTC"}
    assert errors_of(row, "time_zone:Zone") == [("due_date", "MALFORMED_DATE", "soon")]
    found = convert_row(row, "time_zone:Zone", on_unknown_date=OnUnknownDate.EMPTY)
    assert (found.accepted[0].due_date, found.unknown_fields) == (None, ["due_date"])


def test_appended_columns_are_lines_under_the_description():
    mapping = '{"URL": "append", "Points": "append", "Parent\\ntask": "append"}'
    row = {"Parent\ntask": " Winter ", "Notes": "Two\nlines", "URL": "'=1", "Points": " ", "#2 URL": "b"}
    assert values_of(row, mapping).description == "Two\nlines\n\nParent task: Winter\nURL: =1\nURL: b"
    assert values_of({"Notes": " ", "URL": "a"}, "append:URL").description == "URL: a"
    assert values_of({"URL": "a"}, "append:URL").description == "URL: a"
    assert values_of({"Notes": " y ", "URL": ""}, "append:URL").description == " y "


def test_appended_text_can_make_the_description_too_long():
    row = {"Notes": "y" * 19_990, "URL": "z" * 20}
    (failed,) = convert_row(row, "append:URL").failed
    assert [(error.column, error.code) for error in failed.errors] == [("description", "TOO_LONG")]
    assert failed.errors[0].value == "y" * 200
    assert failed.cells == ("x", *row.values())
    assert errors_of({"URL": "z" * 20_000}, "append:URL") == [("description", "TOO_LONG", "z" * 200)]


def test_null_values_are_empty_cells_in_every_column():
    nulls = parse_null_values("null|-|[]")
    row = {
        "Description": "NULL",
        "Status": " null ",
        "Priority": "'-",
        "Due": "null",
        "Labels": "[]",
        "External ID": "null",
        "Assignee": "null",
        "Done": "-",
        "URL": "[]",
    }
    assert values_of(row, "append:URL", null_values=nulls) == values_of(dict.fromkeys(row, ""), "append:URL")
    assert errors_of({"Task": "null"}, null_values=nulls) == [("title", "BLANK_TITLE", "null")]
    assert values_of({"Notes": "null and void"}, null_values=nulls).description == "null and void"


@pytest.mark.parametrize(
    ("title", "expected", "labels"),
    [
        ("Ring the plumber @home", "Ring the plumber", ("a", "home")),
        ("@home  ring @phone-1 the  plumber", "ring the  plumber", ("a", "home", "phone-1")),
        ("'=1+1 @x", "=1+1", ("a", "x")),
        ("Mail ann@example.com @ 5", "Mail ann@example.com @ 5", ("a",)),
        ("@! @a,b", "@! @a,b", ("a",)),
        (f"Long @{'y' * 65}", f"Long @{'y' * 65}", ("a",)),
        ("@home @phone", "@home @phone", ("a", "home", "phone")),
        ("'@home", "@home", ("a", "home")),
    ],
)
def test_words_of_the_title_become_labels(title, expected, labels):
    found = values_of({"Task": title, "Labels": "a"}, title_label_prefix="@")
    assert (found.title, found.labels) == (expected, labels)
    assert values_of({"Task": title}).title == title.removeprefix("'")


def test_too_many_labels_of_a_title_show_the_title():
    title = "x " + " ".join(f"@{number}" for number in range(51))
    assert errors_of({"Task": title}, title_label_prefix="@") == [("labels", "TOO_MANY_LABELS", title[:200])]


def test_colors_are_removed_from_labels():
    row = {"Labels": "garden (green), house (Light Blue) , (red),x (y),sky_dark,z (sky_dark)", "#2 Labels": "b (lime)"}
    assert values_of(row, strip_label_colors=True).labels == ("garden", "house", "red", "x (y)", "sky_dark", "z", "b")
    del row["#2 Labels"]
    assert values_of(row, strip_label_colors=True).labels == ("garden", "house", "red", "x (y)", "sky_dark", "z")
    assert values_of({"Labels": "garden (green)"}).labels == ("garden (green)",)


@pytest.mark.parametrize(
    ("cell", "assignee"),
    [
        ("ann", 4),
        ("[ann]", 4),
        ("[ann@example.com]", 4),
        ("[ ann ]", 4),
        ("Lee, Ann", 5),
        ("[x]", 6),
        ("", None),
        ("[]", None),
    ],
)
def test_list_of_one_assignee_is_that_one(cell, assignee):
    nulls = parse_null_values("[]")
    found = values_of({"Assignee": cell}, null_values=nulls).assignee_id
    assert found == (UUID(int=assignee) if assignee else None)


@pytest.mark.parametrize(
    "cell", ["ann;ben", "ann, ben", "[ann, ben]", "[Lee, Ann]", "[[ann]]", "ann;ann", "ann;ann@example.com"]
)
def test_several_assignees_are_no_user(cell):
    assert errors_of({"Assignee": cell}) == [("assignee", "UNKNOWN_ASSIGNEE", cell)]
    found = convert_row({"Assignee": cell}, on_unknown_assignee=OnUnknownAssignee.LEAVE_EMPTY)
    assert (found.accepted[0].assignee_id, found.unknown_fields) == (None, ["assignee"])


def test_list_of_emails_is_no_email():
    """A list counts towards the limit on unknown emails with its only email, or not at all."""
    cells = ["[ann@example.com]", "ann@example.com;ben@example.com", "[a@example.com, b@example.com]", "c@example.com"]
    batch = Batch(Checkpoint(0, 2, 0), Checkpoint(1, 3, 1), [2], cells, {})
    assert distinct_assignees(batch, ("assignee",)) == {"ann@example.com", "c@example.com"}


def test_names_in_brackets_are_looked_up():
    batch = Batch(Checkpoint(0, 2, 0), Checkpoint(1, 3, 1), [2], ["x", "[ann]", "y", "Lee, Ann", "z", "'-a"], {})
    assert distinct_assignees(batch, ("title", "assignee")) == {"[ann]", "ann", "Lee, Ann", "-a"}


@pytest.mark.parametrize(
    ("external_id", "is_rounded"),
    [("1.209E+19", True), ("1,21E+08", True), ("1.00E+05", True), ("1E+05", True), ("1E5", False), ("E+05", False)],
)
def test_rounded_external_id_is_counted(external_id, is_rounded):
    found = convert_row({"External ID": external_id})
    assert found.accepted[0].external_id == external_id
    assert found.unknown_fields == (["external_id"] if is_rounded else [])


def test_update_changes_the_fields_of_all_used_columns():
    mapping = "status_or_label:Section,append:URL,time_zone:Zone"
    assert changes_of({"Section": "Done", "URL": "a", "Zone": "UTC"}, mapping) == {
        "status": "completed",
        "description": "URL: a",
    }
    assert changes_of({"Section": "Garden"}, "status_or_label:Section") == {"labels": ("Garden",)}
    assert changes_of({"URL": ""}, "append:URL") == {}
    assert changes_of({"Notes": "", "URL": ""}, "append:URL") == {"description": ""}
    assert changes_of({"Done": ""}) == {}
    assert changes_of({"Done": "No"}) == {"status": "pending"}
    assert changes_of({"Status": "", "Done": "No"}) == {}
    assert changes_of({"Completed At": "2026-11-10"}) == {
        "status": "completed",
        "completed_at": datetime(2026, 11, 10, tzinfo=UTC),
    }
    assert changes_of({"Resolution": "Won't Do"}, "resolution:Resolution") == {}


def test_update_takes_the_labels_of_a_title():
    """A title without labels changes none, unless the file has a column of labels."""
    options = {"title_label_prefix": "@"}
    assert changes_of({"Task": "x @home"}, **options) == {"labels": ("home",)}
    assert changes_of({"Task": "x"}, **options) == {}
    assert changes_of({"Task": "x", "Labels": ""}, **options) == {"labels": ()}
