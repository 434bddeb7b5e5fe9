"""Options for the values of an import, through the API."""

import json
from typing import Any

import grpc
import pytest
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.integration.task_service.import_calls import END, batch, get, upload
from tests.support.grpc_calls import refused

Options = import_service_pb2.UploadOptions
DEFAULT = Options.ON_UNKNOWN_VALUE_DEFAULT
LEAVE_EMPTY = Options.ON_UNKNOWN_ASSIGNEE_LEAVE_EMPTY
HEADER = b"title,status,priority\n"


async def run_import(system, worker, user, *rows: list[str], header: bytes = HEADER, **options: Any):
    """Import the rows, and return the import and its tasks by title."""
    queued = await upload(system, user, header + b"x\n" * 9, **options)
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, *rows, size=9), END)
    request = task_service_pb2.ListTasksRequest(owner_id=user.id)
    tasks = (await system.tasks.ListTasks(request, metadata=user.metadata)).tasks
    return await get(system, user, queued.id), {task.title: task for task in tasks}


def words(task: task_pb2.Task) -> tuple[str, str]:
    status = task_pb2.Task.Status.Name(task.status).removeprefix("STATUS_")
    return status, task_pb2.Task.Priority.Name(task.priority).removeprefix("PRIORITY_")


async def test_value_mapping_overrides_and_adds_words(system, worker):
    sonu = await system.new_user("sonu")
    mapping = {"status": {"Blocked": "pending", "closed": "cancelled", "n/a": None}, "priority": {"1": "urgent"}}
    rows = ["a", "BLOCKED", "1"], ["b", "Closed", "P2"], ["c", "N/A", ""], ["d", "Doing", "2"]
    options: dict[str, Any] = {"value_mapping": json.dumps(mapping), "default_status": task_pb2.Task.STATUS_COMPLETED}
    done, tasks = await run_import(system, worker, sonu, *rows, **options)
    assert {title: words(task) for title, task in tasks.items()} == {
        "a": ("PENDING", "URGENT"),
        "b": ("CANCELLED", "HIGH"),
        "c": ("COMPLETED", "NONE"),
    }
    assert (done.rows_created, done.rows_failed, list(done.warnings)) == (3, 1, [])


@pytest.mark.parametrize("validate_only", [False, True])
async def test_unknown_words_get_the_default_with_a_warning(system, worker, validate_only):
    sonu = await system.new_user("sonu")
    rows = ["a", "Blocked", "1"], ["b", "Blocked", "low"], ["", "Blocked", "2"], ["d", "done", "high"]
    options: dict[str, Any] = {
        "on_unknown_status": DEFAULT,
        "on_unknown_priority": DEFAULT,
        "validate_only": validate_only,
    }
    done, tasks = await run_import(system, worker, sonu, *rows, **options)
    assert (done.rows_created, done.rows_failed) == (3, 1)
    assert list(done.warnings) == [
        "2 rows have an unknown status and got the default status (on_unknown_status=default).",
        "1 row has an unknown priority and got the priority none (on_unknown_priority=default).",
    ]
    expected = {"a": ("PENDING", "NONE"), "b": ("PENDING", "LOW"), "d": ("COMPLETED", "HIGH")}
    assert {title: words(task) for title, task in tasks.items()} == ({} if validate_only else expected)


async def test_unknown_word_keeps_the_value_of_an_existing_task(system, worker):
    sonu = await system.new_user("sonu")
    header = HEADER.replace(b"title", b"title,external_id")
    options: dict[str, Any] = {
        "header": header,
        "on_duplicate": Options.ON_DUPLICATE_UPDATE,
        "on_unknown_status": DEFAULT,
    }
    await run_import(system, worker, sonu, ["a", "1", "completed", "high"], **options)
    done, tasks = await run_import(system, worker, sonu, ["b", "1", "Blocked", "low"], **options)
    assert (done.rows_updated, len(done.warnings), words(tasks["b"])) == (1, 1, ("COMPLETED", "LOW"))


async def test_truth_value_needs_a_status_column_that_asks_for_it(system, worker):
    sonu = await system.new_user("sonu")
    header = b"Task,Done,priority\n"
    options: dict[str, Any] = {"header": header, "mapping": "title:Task,status:Done"}
    done, tasks = await run_import(system, worker, sonu, ["a", "TRUE", ""], ["b", "no", ""], **options)
    assert (done.rows_failed, words(tasks["a"])[0], words(tasks["b"])[0]) == (0, "COMPLETED", "PENDING")
    done, _ = await run_import(system, worker, sonu, ["a", "TRUE", ""], ["b", "no", ""])
    assert done.rows_failed == 2


DATES = (
    ["a", "1/5/2027"],
    ["b", "2026-12-31T23:30:00Z"],
    ["c", "31 Dec"],
    ["d", "Dec 31, 2026"],
    ["e", "4.3.2026"],
    ["f", "somewhen"],
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"b": "2026-12-31", "d": "2026-12-31", "e": "2026-03-04"}),
        ({"date_order": "dmy"}, {"a": "2027-05-01", "b": "2026-12-31", "d": "2026-12-31", "e": "2026-03-04"}),
        ({"date_format": "M/D/YYYY"}, {"a": "2027-01-05", "b": "2026-12-31", "d": "2026-12-31"}),
        (
            {"time_zone": "Europe/Berlin", "value_mapping": '{"due_date": {"31 Dec": "2026-12-31", "somewhen": null}}'},
            {"b": "2027-01-01", "c": "2026-12-31", "d": "2026-12-31", "e": "2026-03-04", "f": ""},
        ),
    ],
)
async def test_date_options_decide_dates(system, worker, options, expected):
    sonu = await system.new_user("sonu")
    if order := options.get("date_order"):
        options = options | {"date_order": Options.DateOrder.Value(f"DATE_ORDER_{order.upper()}")}
    done, tasks = await run_import(system, worker, sonu, *DATES, header=b"title,due_date\n", **options)
    assert {title: task.due_date for title, task in tasks.items()} == expected
    assert (done.rows_created, done.rows_failed) == (len(expected), len(DATES) - len(expected))


async def test_unreadable_dates_are_left_empty_with_a_warning(system, worker):
    sonu = await system.new_user("sonu")
    options: dict[str, Any] = {"header": b"title,due_date\n", "on_unknown_date": Options.ON_UNKNOWN_DATE_EMPTY}
    done, tasks = await run_import(system, worker, sonu, *DATES, **options)
    assert [tasks[title].due_date for title in "abcdef"] == ["", "2026-12-31", "", "2026-12-31", "2026-03-04", ""]
    assert (done.rows_failed, list(done.warnings)) == (
        0,
        ["3 rows have an unreadable due date and got none (on_unknown_date=empty)."],
    )


@pytest.mark.parametrize("validate_only", [False, True])
async def test_unknown_assignee_is_left_empty_with_a_warning(system, worker, validate_only):
    sonu, ann = await system.new_user("sonu"), await system.new_user("ann")
    rows = ["a", "Ann Lee"], ["b", "ann"], ["c", "nobody"], ["", "nobody"], ["e", ""]
    options: dict[str, Any] = {"header": b"title,assignee\n", "on_unknown_assignee": LEAVE_EMPTY}
    done, tasks = await run_import(system, worker, sonu, *rows, validate_only=validate_only, **options)
    expected = {"a": "", "b": ann.id, "c": "", "e": ""}
    assert {title: task.assignee_id for title, task in tasks.items()} == ({} if validate_only else expected)
    assert (done.rows_created, done.rows_failed) == (4, 1)
    warning = "2 rows have an unknown assignee, which counts as an empty cell (on_unknown_assignee=leave_empty)."
    assert list(done.warnings) == [warning]
    done, tasks = await run_import(system, worker, sonu, ["f", "Ann Lee"], default_assignee="ann", **options)
    assert (tasks["f"].assignee_id, len(done.warnings)) == (ann.id, 1)


async def test_unknown_assignee_keeps_the_one_of_an_existing_task(system, worker):
    sonu, ann = await system.new_user("sonu"), await system.new_user("ann")
    options: dict[str, Any] = {
        "header": b"title,external_id,assignee\n",
        "on_duplicate": Options.ON_DUPLICATE_UPDATE,
        "on_unknown_assignee": LEAVE_EMPTY,
    }
    await run_import(system, worker, sonu, ["a", "1", "ann"], **options)
    done, tasks = await run_import(system, worker, sonu, ["b", "1", "Ann Lee"], **options)
    assert (done.rows_updated, len(done.warnings), tasks["b"].assignee_id) == (1, 1, ann.id)
    done, tasks = await run_import(system, worker, sonu, ["c", "1", ""], **options)
    assert (done.rows_updated, len(done.warnings), tasks["c"].assignee_id) == (1, 0, "")


async def test_error_of_an_unknown_assignee_names_the_option(system, worker):
    sonu = await system.new_user("sonu")
    done, _ = await run_import(system, worker, sonu, ["a", "Ann Lee"], header=b"title,assignee\n")
    request = import_service_pb2.ListImportErrorsRequest(import_id=done.id)
    (error,) = (await system.imports.ListImportErrors(request, metadata=sonu.metadata)).errors
    assert (error.code, error.message) == (
        "UNKNOWN_ASSIGNEE",
        "Unknown assignee 'Ann Lee'. Use the username or email of a user, or set on_unknown_assignee=leave_empty.",
    )


@pytest.mark.parametrize(
    ("options", "cells", "expected"),
    [
        ({}, ["b,c", "a"], ["a", "b", "c"]),
        ({}, ["'-1", "'=2,[x]"], ["-1", "=2", "[x]"]),
        ({}, ["[b, a]", "[c]"], ["a", "b", "c"]),
        ({}, ["[]", ""], ["new"]),
        ({}, ["", ",[a,b]"], ["[a", "b]"]),
        ({}, ["null", "{}"], ["null", "{}"]),
        ({"label_separator": ";"}, ["b; c", "[d;a]"], ["a", "b", "c", "d"]),
        ({"label_separator": " | "}, ["b | c", "a"], ["a", "b", "c"]),
        ({"mapping": '{"#3": "labels"}'}, ["b", "a"], ["a"]),
        ({"mapping": '{"#3": "labels", "#2": "labels"}'}, ["b", "a"], ["a", "b"]),
    ],
)
async def test_labels_come_from_several_columns(system, worker, options, cells, expected):
    sonu = await system.new_user("sonu")
    options = options | {"header": b"title,Labels,Labels\n", "default_labels": "new"}
    done, tasks = await run_import(system, worker, sonu, ["a", *cells], **options)
    assert (done.rows_failed, sorted(tasks["a"].labels)) == (0, expected)


async def test_error_of_labels_shows_the_cells_of_all_columns(system, worker):
    sonu = await system.new_user("sonu")
    header = b"title,Labels,Labels\n"
    rows = ["a", "b", "c" * 65], ["d", "e;f", ""]
    done, _ = await run_import(system, worker, sonu, *rows, header=header, label_separator="|")
    request = import_service_pb2.ListImportErrorsRequest(import_id=done.id)
    (error,) = (await system.imports.ListImportErrors(request, metadata=sonu.metadata)).errors
    assert (error.code, error.column, error.value) == ("LABEL_TOO_LONG", "labels", f"b,{'c' * 65}")


@pytest.mark.parametrize(
    ("options", "reason", "field"),
    [
        ({"date_format": "dd.mm.yyyy"}, "MALFORMED_DATE_FORMAT", "date_format"),
        ({"date_format": "DD/MM/YYYY", "date_order": 1}, "CONTRADICTORY_DATE_OPTIONS", "date_order"),
        ({"date_order": 99}, "UNKNOWN_DATE_ORDER", "date_order"),
        ({"time_zone": "Mars/Olympus"}, "UNKNOWN_TIME_ZONE", "time_zone"),
        ({"on_unknown_date": 99}, "UNKNOWN_VALUE_RULE", "on_unknown_date"),
        ({"value_mapping": "status:Blocked"}, "MALFORMED_VALUE_MAPPING", "value_mapping"),
        ({"value_mapping": '{"title": {"a": "b"}}'}, "UNKNOWN_VALUE_FIELD", "value_mapping"),
        ({"value_mapping": '{"status": {"a": "blocked"}}'}, "UNKNOWN_MAPPED_VALUE", "value_mapping"),
        ({"on_unknown_status": 99}, "UNKNOWN_VALUE_RULE", "on_unknown_status"),
        ({"on_unknown_assignee": 99}, "UNKNOWN_VALUE_RULE", "on_unknown_assignee"),
        ({"label_separator": "and"}, "MALFORMED_LABEL_SEPARATOR", "label_separator"),
        ({"label_separator": ";" * 9}, "MALFORMED_LABEL_SEPARATOR", "label_separator"),
        ({"on_unknown_priority": 99}, "UNKNOWN_VALUE_RULE", "on_unknown_priority"),
    ],
)
async def test_invalid_value_option_is_refused(system, database, options, reason, field):
    sonu = await system.new_user("sonu")
    status = await refused(upload(system, sonu, **options))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert [violation.field for violation in status.violations] == [f"options.{field}"]
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]
