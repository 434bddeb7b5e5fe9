"""Option continuation_rows: rows that add their text to the task above them."""

import csv
import io

import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import task_service_pb2

from tests.integration.task_service.calls import create
from tests.integration.task_service.import_calls import END, batch, get, upload

HEADER = ["TYPE", "title", "description", "priority", "external_id"]
SUCCEEDED = import_pb2.Import.STATE_SUCCEEDED


async def run_import(system, user, worker, *batches, header=HEADER, defects=(), **options) -> import_pb2.Import:
    """Import a file in these batches; a row may lack its last cells."""
    data = ",".join(header).encode() + b"\n" + b"x" * 1000
    queued = await upload(system, user, data, **{"continuation_rows": "TYPE=note"} | options)
    lease = await worker.claim()
    sent, begin = [], lease.checkpoint
    for rows in batches:
        padded = [[*row, *[""] * (len(header) - len(row))] for row in rows]
        sent.append(batch(begin, *padded, size=5, defects=defects))
        begin = sent[-1].batch.end
    await worker.stream(lease, *sent, END)
    found = await get(system, user, queued.id)
    assert found.rows_read == sum(map(len, batches))
    return found


async def tasks_of(system, user, found: import_pb2.Import) -> list[tuple[str, str]]:
    """Return the titles and descriptions of an import's tasks in file order."""
    request = task_service_pb2.ListTasksRequest(import_id=found.id, order_by="created_at")
    tasks = (await system.tasks.ListTasks(request, metadata=user.metadata)).tasks
    return [(task.title, task.description) for task in tasks]


async def errors_of(system, user, found: import_pb2.Import) -> list[tuple[int, str]]:
    request = import_service_pb2.ListImportErrorsRequest(import_id=found.id, page_size=500)
    errors = (await system.imports.ListImportErrors(request, metadata=user.metadata)).errors
    return [(error.line, error.code) for error in errors]


async def test_dialect_names_the_continuation_rows(system, worker):
    sonu = await system.new_user("sonu")
    await upload(system, sonu, b"title,Kind\nx,y\n", continuation_rows="#2=Sub-note|Comment")
    rule = (await worker.claim()).dialect.continuation_rows
    assert (rule.column, list(rule.keys)) == (1, ["'comment", "'sub_note", "comment", "sub_note"])
    assert (rule.max_rows, rule.max_bytes) == (200, 256 * 1024)
    await upload(system, sonu, b"title,Kind\nx,y\n")
    assert not (await worker.claim()).dialect.HasField("continuation_rows")


async def test_rows_become_paragraphs_of_the_description(system, worker):
    sonu = await system.new_user("sonu")
    rows = [
        ["task", "Tax", "Send it"],
        ["Note", " First\nline ", "'=more"],
        ["note", "", "Second"],
        ["task", "Plain", " As it is "],
        ["task", "Empty"],
        ["note", "'-Only"],
    ]
    found = await run_import(system, sonu, worker, rows)
    assert await tasks_of(system, sonu, found) == [
        ("Tax", "Send it\n\nFirst\nline\n\n=more\n\nSecond"),
        ("Plain", " As it is "),
        ("Empty", "-Only"),
    ]
    assert (found.state, found.rows_created, found.rows_skipped, found.rows_failed) == (SUCCEEDED, 3, 3, 0)


async def test_row_without_a_task_above_is_skipped(system, worker):
    sonu = await system.new_user("sonu")
    found = await run_import(system, sonu, worker, [["note", "a"], ["note", "b"], ["task", "t"]], [["task", "u"]])
    assert await tasks_of(system, sonu, found) == [("t", ""), ("u", "")]
    assert (found.rows_created, found.rows_skipped, found.rows_failed) == (2, 2, 0)
    warning = "2 rows were skipped: the file has no task above to continue (continuation_rows)."
    assert warning in found.warnings


async def test_rows_of_a_skipped_task_are_skipped(system, worker):
    """The filter itself does not matter for rows that continue a task."""
    sonu = await system.new_user("sonu")
    rows = [["section", "s"], *[["note", "lost"]] * 201, ["task", "t"], ["note", "kept"], ["", ""], ["note", "lost"]]
    found = await run_import(system, sonu, worker, rows, row_filter="TYPE=task")
    assert await tasks_of(system, sonu, found) == [("t", "kept")]
    assert (found.rows_created, found.rows_skipped, found.rows_failed) == (1, 205, 0)


@pytest.mark.parametrize("validate_only", [False, True])
async def test_rows_of_a_rejected_task_are_rejected(system, worker, validate_only):
    sonu = await system.new_user("sonu")
    await create(system, sonu, title="old", external_id="A")
    rows = [
        ["task", "bad", "", "urgently"],
        ["note", "x"],
        ["task", "taken", "", "", "A"],
        ["note", "y"],
        ["note", "z"],
        ["task", "good", "", "", "B"],
        ["note", "kept"],
        ["task", "long", "a" * 20_000],
        ["note", "b"],
    ]
    found = await run_import(system, sonu, worker, rows, validate_only=validate_only)
    assert await errors_of(system, sonu, found) == [
        (2, "UNKNOWN_PRIORITY"),
        (3, "CONTINUED_TASK_REJECTED"),
        (4, "EXTERNAL_ID_TAKEN"),
        (5, "CONTINUED_TASK_REJECTED"),
        (6, "CONTINUED_TASK_REJECTED"),
        (9, "TOO_LONG"),
        (10, "CONTINUED_TASK_REJECTED"),
    ]
    assert (found.rows_created, found.rows_skipped, found.rows_failed) == (1, 1, 7)
    assert await tasks_of(system, sonu, found) == ([] if validate_only else [("good", "kept")])


async def test_corrected_errors_csv_has_the_task_and_its_rows(system, worker):
    sonu = await system.new_user("sonu")
    rows = [["task", "t", "", "urgently"], ["note", "a"], ["task", "good"], ["note", "b"]]
    found = await run_import(system, sonu, worker, rows)
    download = import_service_pb2.DownloadImportErrorsRequest(import_id=found.id)
    parts = [part.data async for part in system.imports.DownloadImportErrors(download, metadata=sonu.metadata)]
    header, *rejected = csv.reader(io.StringIO(b"".join(parts).decode()))
    assert [row[:4] for row in rejected] == [rows[0], ["note", "a", "", ""]]
    rejected[0][3] = "urgent"
    corrected = await run_import(system, sonu, worker, rejected, header=header, options_from=found.id)
    assert await tasks_of(system, sonu, corrected) == [("t", "a")]
    assert corrected.rows_failed == 0


async def test_defect_of_a_row_rejects_its_task(system, worker):
    sonu = await system.new_user("sonu")
    rows = [["task", "t"], ["note", "a"], ["note", "b"], ["task", "good"], ["note", "c"]]
    defect = ingest_pb2.RowDefect(row=2, kind=ingest_pb2.RowDefect.KIND_TOO_MANY_CELLS, cell=9, surplus="y")
    found = await run_import(system, sonu, worker, rows, defects=[defect])
    assert await errors_of(system, sonu, found) == [
        (2, "CONTINUATION_ROW_REJECTED"),
        (3, "CONTINUED_TASK_REJECTED"),
        (4, "TOO_MANY_CELLS"),
    ]
    assert await tasks_of(system, sonu, found) == [("good", "c")]


async def test_rows_beyond_the_limit_are_rejected(system, worker):
    """At most 200 rows continue a task. Only beyond the limits a batch begins with such a row."""
    sonu = await system.new_user("sonu")
    notes = [["note", "n"]] * 201
    found = await run_import(system, sonu, worker, [["task", "t"], *notes], [["note", "m"], ["task", "u"]])
    assert await errors_of(system, sonu, found) == [
        (203, "TOO_MANY_CONTINUATION_ROWS"),
        (204, "TOO_MANY_CONTINUATION_ROWS"),
    ]
    assert await tasks_of(system, sonu, found) == [("t", "\n\n".join(["n"] * 200)), ("u", "")]
    assert (found.rows_created, found.rows_skipped, found.rows_failed) == (2, 200, 2)


async def test_continued_row_updates_the_description(system, worker):
    """The file needs no column for the description, and an update without an effect is none."""
    sonu = await system.new_user("sonu")
    update = import_service_pb2.UploadOptions.ON_DUPLICATE_UPDATE
    options = {"header": ["TYPE", "title", "external_id"], "on_duplicate": update}
    task = await create(system, sonu, title="old", description="old", external_id="A")
    rows = [["task", "new", "A"], ["note", "x"], ["note", "y"]]
    first = await run_import(system, sonu, worker, rows, **options)
    assert (first.rows_updated, first.rows_skipped, first.rows_failed) == (1, 2, 0)
    found = await system.tasks.GetTask(task_service_pb2.GetTaskRequest(id=task.id), metadata=sonu.metadata)
    assert (found.title, found.description) == ("new", "x\n\ny")
    again = await run_import(system, sonu, worker, rows, **options)
    assert (again.rows_unchanged, again.rows_skipped) == (1, 2)


async def test_row_keeps_the_labels_of_its_title(system, worker):
    """Only the title of a task has labels, and a text that counts as an empty cell is no paragraph."""
    sonu = await system.new_user("sonu")
    rows = [["task", "Call @phone"], ["note", "Mail to me@home or @work", "n/a"], ["task", "u @x", "d"]]
    found = await run_import(system, sonu, worker, rows, title_label_prefix="@", null_values="n/a")
    assert await tasks_of(system, sonu, found) == [("Call", "Mail to me@home or @work"), ("u", "d")]


async def test_orphans_fill_several_batches_and_streams(system, worker):
    """A file may have more of them than a batch. They are skipped like those of the first batch."""
    sonu = await system.new_user("sonu")
    data = ",".join(HEADER).encode() + b"\n" + b"x" * 1000
    queued = await upload(system, sonu, data, continuation_rows="TYPE=note")
    orphans = [["note", f"{number}", "", "", ""] for number in range(2)]
    lease = await worker.claim()
    first = batch(lease.checkpoint, *orphans, size=5)
    second = batch(first.batch.end, *orphans, size=5)
    await worker.stream(lease, first, second)
    third = batch(second.batch.end, *orphans, ["task", "a", "", "", ""], ["note", "b", "", "", ""], size=5)
    # This row continues a task above it, so no worker begins a batch with it below the limit.
    fourth = batch(third.batch.end, ["note", "c", "", "", ""], size=5)
    await worker.stream(lease, third, fourth, END)
    found = await get(system, sonu, queued.id)
    assert (found.rows_created, found.rows_skipped, found.rows_failed) == (1, 7, 1)
    assert found.warnings == ["6 rows were skipped: the file has no task above to continue (continuation_rows)."]
    assert await tasks_of(system, sonu, found) == [("a", "b")]
