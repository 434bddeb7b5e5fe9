"""Options that an import shows, and options that another upload takes from it."""

from typing import Any

import grpc
import pytest
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import task_pb2

from tests.integration.task_service.import_calls import get, upload
from tests.support.grpc_calls import expect_failure

Options = import_service_pb2.UploadOptions
FILE = b"Subject,Due,Owner,Kind\na,1/5/2027,nobody,x\n"
OPTIONS: dict[str, Any] = {
    "mapping": '{"Kind": null, "#1": "title"}',
    "value_mapping": '{"status": {"Blocked": "pending", "n/a": null}}',
    "date_order": Options.DATE_ORDER_DMY,
    "on_unknown_assignee": Options.ON_UNKNOWN_ASSIGNEE_LEAVE_EMPTY,
    "on_duplicate": Options.ON_DUPLICATE_SKIP,
    "default_status": task_pb2.Task.STATUS_COMPLETED,
    "default_labels": "x,y",
    "max_errors": 7,
    "time_zone": "Europe/Berlin",
    "row_filter": "Kind!=y",
    "null_values": "null|N/A",
    "title_label_prefix": "@",
    "strip_label_colors": True,
}


async def test_import_shows_the_options_it_runs_with(system):
    sonu = await system.new_user("sonu")
    found = (await get(system, sonu, (await upload(system, sonu, FILE, **OPTIONS)).id)).options
    normalized = {
        "mapping": '{"#1": "title", "Kind": null}',
        "value_mapping": '{"status": {"n/a": null, "blocked": "pending"}}',
        "null_values": "null|n/a",
        "allow_same_file": True,
    }
    assert found == Options(**OPTIONS | normalized)


async def test_options_of_an_import_apply_to_another_file(system):
    """Options that the second upload sets itself win, also those that turn a rule off."""
    sonu = await system.new_user("sonu")
    first = await upload(system, sonu, b";;\n" + FILE.replace(b",", b";"), header_row=2, delimiter=";", **OPTIONS)
    second = await upload(
        system,
        sonu,
        FILE,
        options_from=first.id,
        date_format="D/M/YYYY",
        row_filter="",
        on_duplicate=Options.ON_DUPLICATE_FAIL,
        mapping='{"Subject": "title"}',
    )
    found = second.options
    assert (found.date_format, found.date_order, found.row_filter) == ("D/M/YYYY", 0, "")
    assert (found.on_duplicate, found.mapping) == (Options.ON_DUPLICATE_FAIL, '{"Kind": null, "Subject": "title"}')
    assert (found.time_zone, found.max_errors, found.default_labels) == ("Europe/Berlin", 7, "x,y")
    assert (found.header_row, found.delimiter) == (0, "")


@pytest.mark.parametrize("import_id", ["01890000-0000-7000-8000-000000000000", None])
async def test_options_of_an_import_of_others_are_refused(system, import_id):
    sonu, anna = await system.new_user("sonu"), await system.new_user("anna")
    others = await upload(system, anna, FILE, **OPTIONS)
    failure = await expect_failure(upload(system, sonu, FILE, options_from=import_id or others.id))
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.violations == [("options.options_from", "UNKNOWN_OPTIONS_IMPORT")]


async def test_options_of_an_unfinished_upload_are_refused(system, database):
    """Its options are not known yet, and an upload without them would not be the one that the caller means."""
    sonu = await system.new_user("sonu")
    first = await upload(system, sonu, FILE, **OPTIONS)
    await database.execute("UPDATE tasks.imports SET state = 'uploading'")
    failure = await expect_failure(upload(system, sonu, FILE, options_from=first.id))
    assert failure.violations == [("options.options_from", "UNKNOWN_OPTIONS_IMPORT")]


@pytest.mark.parametrize(
    ("options", "reason", "field"),
    [
        ({"row_filter": "Archived"}, "MALFORMED_ROW_FILTER", "row_filter"),
        ({"row_filter": "=true"}, "MALFORMED_ROW_FILTER", "row_filter"),
        ({"row_filter": "Archived!=true"}, "FILTERED_COLUMN_MISSING", "row_filter"),
        ({"row_filter": "#9=true"}, "FILTERED_COLUMN_MISSING", "row_filter"),
        ({"row_filter": "Kind=x"}, "AMBIGUOUS_FILTERED_COLUMN", "row_filter"),
        ({"continuation_rows": "Kind!=x"}, "MALFORMED_ROW_FILTER", "continuation_rows"),
        ({"continuation_rows": "TYPE=note"}, "FILTERED_COLUMN_MISSING", "continuation_rows"),
        ({"null_values": "|".join(map(str, range(51)))}, "TOO_MANY_NULL_VALUES", "null_values"),
        ({"title_label_prefix": "@@"}, "MALFORMED_TITLE_LABEL_PREFIX", "title_label_prefix"),
        ({"source": "excel"}, "UNKNOWN_SOURCE", "source"),
        ({"source": "jira"}, "SOURCE_COLUMNS_MISSING", "source"),
        ({"source": "jira", "has_header": False, "mapping": "title:#1"}, "SOURCE_WITHOUT_HEADER", "source"),
    ],
)
async def test_invalid_row_option_is_refused(system, options, reason, field):
    sonu = await system.new_user("sonu")
    failure = await expect_failure(upload(system, sonu, b"title,Kind,Kind\na,x,y\n", **options))
    assert failure.violations == [(f"options.{field}", reason)]
