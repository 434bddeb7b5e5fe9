"""Values of a row from the cells of several columns."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from task_service.history.domain.events import Actor
from task_service.imports.domain.columns.mapping import parse_mapping
from task_service.imports.domain.columns.matching import match_columns
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.imports import Checkpoint, Defaults
from task_service.imports.domain.options.row_options import (
    OnUnknownAssignee,
    OnUnknownDate,
    OnUnknownValue,
    RowOptions,
    parse_null_values,
)
from task_service.imports.domain.options.value_mapping import parse_value_mapping
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.conversion import ConvertedRows, convert_rows, distinct_assignees
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.tasks.domain.task import Values

NOW = datetime(2026, 12, 31, 12, tzinfo=UTC)

ACTOR = Actor(UUID(int=3), "user", "request")
NO_DEFAULTS = Defaults()
USERS = {"ann": UUID(int=4), "ann@example.com": UUID(int=4), "Lee, Ann": UUID(int=5), "[x]": UUID(int=6)}


def convert_row(
    row: dict[str, str], mapping: str = "", *, update: bool = False, defaults: Defaults = NO_DEFAULTS, **options: Any
) -> ConvertedRows:
    """Convert a row of cells by column. `#2 Tag` is a second column with the name Tag."""
    row = {"Task": "x", **row}
    names = tuple(name.removeprefix("#2 ") for name in row)
    fields = match_columns(names, parse_mapping(mapping)).fields
    context = IngestContext(UUID(int=1), UUID(int=2), ACTOR, fields, columns=names, defaults=defaults)
    context = context._replace(
        row_options=RowOptions(**options), on_duplicate=OnDuplicate.UPDATE if update else OnDuplicate.FAIL
    )
    batch = Batch(Checkpoint(0, 2, 0), Checkpoint(1, 3, 1), [2], [*row.values()], {})
    (converted,) = convert_rows(batch, context, USERS, now=NOW)
    return converted


def values_of(row: dict[str, str], mapping: str = "", **options: Any) -> Values:
    converted = convert_row(row, mapping, **options)
    assert not converted.failed
    (values,) = converted.accepted
    return values


def errors_of(row: dict[str, str], mapping: str = "", **options: Any) -> list[tuple[str, str, str]]:
    """Return the column, code and value of each error."""
    (failed,) = convert_row(row, mapping, **options).failed
    return [(error.column, error.code, error.value) for error in failed.errors]


def changes_of(row: dict[str, str], mapping: str = "", **options: Any) -> dict[str, Any]:
    """Return the new values of an existing task, without its title."""
    converted = convert_row({"external_id": "1", **row}, mapping, update=True, **options)
    return {name: value for name, value in converted.keyed[0].changes.items() if name != "title"}


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


def test_update_keeps_the_status_of_an_unknown_cell():
    options = {"on_unknown_status": OnUnknownValue.DEFAULT}
    assert changes_of({"Status": "?", "Done": ""}, **options) == {}
    assert changes_of({"Status": "?", "Done": "Yes"}, **options) == {"status": "completed"}
    mapped = parse_value_mapping('{"status": {"n/a": null}, "priority": {"n/a": null}}')
    assert changes_of({"Status": "n/a", "Priority": "n/a"}, value_mapping=mapped) == {}


def test_update_takes_the_labels_of_a_title():
    """A title without labels changes none, unless the file has a column of labels."""
    options = {"title_label_prefix": "@"}
    assert changes_of({"Task": "x @home"}, **options) == {"labels": ("home",)}
    assert changes_of({"Task": "x"}, **options) == {}
    assert changes_of({"Task": "x", "Labels": ""}, **options) == {"labels": ()}
