"""Option row_filter: rows that it does not choose are skipped, whatever their cells are."""

import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import task_service_pb2

from tests.integration.task_service.calls import create
from tests.integration.task_service.import_calls import END, batch, get, upload

HEADER = b"title,priority,Archived,external_id\n"


async def run_import(system, user, worker, *batches: list[list[str]], defects=(), **options) -> import_pb2.Import:
    """Import a file in these batches; the defects are those of each batch."""
    queued = await upload(system, user, HEADER + b"x" * 1000, **options)
    lease = await worker.claim()
    sent, begin = [], lease.checkpoint
    for rows in batches:
        sent.append(batch(begin, *rows, size=5, defects=defects))
        begin = sent[-1].batch.end
    await worker.stream(lease, *sent, END)
    return await get(system, user, queued.id)


async def titles_of(system, user, found: import_pb2.Import) -> list[str]:
    request = task_service_pb2.ListTasksRequest(import_id=found.id, order_by="created_at")
    return [task.title for task in (await system.tasks.ListTasks(request, metadata=user.metadata)).tasks]


@pytest.mark.parametrize(
    ("row_filter", "titles"),
    [
        ("Archived!=true", ["a", "c"]),
        ("#3=TRUE", ["b"]),
        ("archived=no|", ["a", "c"]),
        ("Priority=high|none", ["c"]),
        ("Archived=maybe", []),
        ("", ["a", "b", "c"]),
    ],
)
async def test_rows_that_are_not_chosen_are_skipped(system, worker, row_filter, titles):
    sonu = await system.new_user("sonu")
    rows = [["a", "", "No", ""], ["b", "", " true ", ""]], [["c", "high", "", ""]]
    found = await run_import(system, sonu, worker, *rows, row_filter=row_filter)
    assert await titles_of(system, sonu, found) == titles
    assert (found.state, found.rows_failed) == (import_pb2.Import.STATE_SUCCEEDED, 0)
    assert (found.rows_read, found.rows_created, found.rows_skipped) == (3, len(titles), 3 - len(titles))


async def test_null_value_is_an_empty_cell(system, worker):
    sonu = await system.new_user("sonu")
    rows = [["a", "", "N/A", ""], ["b", "", "", ""], ["c", "", "yes", ""]]
    found = await run_import(system, sonu, worker, rows, row_filter="Archived=", null_values="n/a")
    assert await titles_of(system, sonu, found) == ["a", "b"]


@pytest.mark.parametrize("validate_only", [False, True])
async def test_skipped_row_is_never_an_error(system, worker, validate_only):
    """Neither its defects nor its values count, and it is no duplicate."""
    sonu = await system.new_user("sonu")
    await create(system, sonu, title="old", external_id="A")
    rows = [
        ["", "urgently", "true", ""],
        ["x", "", "true", ""],
        ["x", "", "true", "A"],
        ["", "", "", ""],
        ["good", "", "", "B"],
    ]
    defects = [
        ingest_pb2.RowDefect(row=1, kind=ingest_pb2.RowDefect.KIND_TOO_MANY_CELLS, cell=9, surplus="y"),
        ingest_pb2.RowDefect(row=1, kind=ingest_pb2.RowDefect.KIND_UNDECODABLE, cell=0),
    ]
    found = await run_import(
        system,
        sonu,
        worker,
        rows,
        defects=defects,
        row_filter="Archived!=true",
        max_errors=1,
        validate_only=validate_only,
    )
    assert found.state == import_pb2.Import.STATE_SUCCEEDED
    assert (found.rows_read, found.rows_created, found.rows_skipped, found.rows_failed) == (5, 1, 3, 1)
    request = import_service_pb2.ListImportErrorsRequest(import_id=found.id)
    errors = (await system.imports.ListImportErrors(request, metadata=sonu.metadata)).errors
    assert [(error.line, error.code) for error in errors] == [(5, "BLANK_TITLE")]


async def test_skipped_rows_and_duplicates_are_counted_together(system, worker):
    sonu = await system.new_user("sonu")
    await create(system, sonu, title="old", external_id="A")
    rows = [["x", "", "true", "B"], ["y", "", "", "A"], ["z", "", "", "B"], ["last", "", "", ""]]
    skip = import_service_pb2.UploadOptions.ON_DUPLICATE_SKIP
    found = await run_import(system, sonu, worker, rows, row_filter="Archived!=true", on_duplicate=skip)
    assert (found.rows_read, found.rows_created, found.rows_skipped) == (4, 2, 2)
    assert sorted(await titles_of(system, sonu, found)) == ["last", "z"]
