"""Options of an upload, through the API."""

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.integration.task_service.import_calls import END, FILE, batch, get, upload
from tests.support.grpc_calls import refused

ROWS = ["Buy milk", "", ""], ["", "", ""], ["Call mum", "", "completed"]


async def tasks_of(system, user, import_id: str) -> list[task_pb2.Task]:
    request = task_service_pb2.ListTasksRequest(import_id=import_id)
    return list((await system.tasks.ListTasks(request, metadata=user.metadata)).tasks)


async def test_dry_run_reports_the_same_and_creates_no_task(system, worker, database):
    sonu = await system.new_user("sonu")
    reports = []
    for validate_only in (True, False):
        queued = await upload(system, sonu, validate_only=validate_only)
        lease = await worker.claim()
        await worker.stream(lease, batch(lease.checkpoint, *ROWS, size=20), END)
        done = await get(system, sonu, queued.id)
        assert done.validate_only is validate_only
        reports.append((done.state, done.rows_read, done.rows_created, done.rows_failed, done.failed_rows_kept))
        assert len(await tasks_of(system, sonu, queued.id)) == (0 if validate_only else 2)
    assert reports[0] == reports[1] == (import_pb2.Import.STATE_SUCCEEDED, 3, 2, 1, 1)
    assert await database.execute("SELECT count(*) FROM tasks.task_events") == [(2,)]


async def test_import_fails_above_max_errors(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, max_errors=1)
    lease = await worker.claim()
    first = batch(lease.checkpoint, *ROWS, size=16)
    second = batch(first.batch.end, *ROWS, size=16)
    responses = await worker.stream(lease, first, second, batch(second.batch.end, *ROWS, size=16))
    assert [response.finished for response in responses] == [False, False, True]
    failed = await get(system, sonu, queued.id)
    assert (failed.state, failed.failure.code) == (import_pb2.Import.STATE_FAILED, "TOO_MANY_ERRORS")
    assert failed.failure.message == "More than 1 rows are invalid (option max_errors)."
    assert (failed.rows_created, failed.rows_failed) == (4, 2)
    assert len(await tasks_of(system, sonu, queued.id)) == 4


async def test_import_at_the_limit_of_errors_succeeds(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, max_errors=1)
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, *ROWS, size=20), END)
    assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_SUCCEEDED


async def test_empty_status_gets_the_default_status(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, default_status=task_pb2.Task.STATUS_IN_PROGRESS)
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], ["b\t", "x\ny", " "], ROWS[2], size=20), END)
    states = task_pb2.Task.Status
    assert {task.title: task.status for task in await tasks_of(system, sonu, queued.id)} == {
        "a": states.STATUS_IN_PROGRESS,
        "b": states.STATUS_IN_PROGRESS,
        "Call mum": states.STATUS_COMPLETED,
    }


@pytest.mark.parametrize("header", [b"title\n", b"title,labels,assignee\n"])
async def test_default_labels_and_assignee_fill_empty_cells(system, worker, header):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    queued = await upload(
        system, sonu, header + b"x\n" * 3, default_assignee="MINA", default_labels=" home, garden,,home"
    )
    lease = await worker.claim()
    columns = header.count(b",") + 1
    rows = ["plain", "", ""][:columns], ["quoted'", " , ", " "][:columns], ["own", "work", "sonu"][:columns]
    await worker.stream(lease, batch(lease.checkpoint, *rows, size=1), END)
    defaults = (["home", "garden"], mina.id)
    tasks = {task.title: (list(task.labels), task.assignee_id) for task in await tasks_of(system, sonu, queued.id)}
    own = defaults if columns == 1 else (["work"], sonu.id)
    assert tasks == {"plain": defaults, "quoted'": defaults, "own": own}


async def test_lease_contains_encoding_and_delimiter(system, worker):
    sonu = await system.new_user("sonu")
    await upload(system, sonu, b"\xff\xfe" + "title|Status\na|b\n".encode("utf-16-le"))
    lease = await worker.claim()
    assert (lease.dialect.encoding, lease.dialect.delimiter, lease.dialect.columns) == ("utf-16-le", "|", 2)
    assert lease.checkpoint.offset == 2 + 2 * len("title|Status\n")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"encoding": "rot13"}, "UNKNOWN_ENCODING"),
        ({"delimiter": "#"}, "UNKNOWN_DELIMITER"),
        ({"mapping": "title:Name"}, "MAPPED_COLUMN_MISSING"),
        ({"mapping": '{"Subject": "name"}'}, "UNKNOWN_MAPPED_FIELD"),
        ({"mapping": '{"Subject": "title", "#1": null}'}, "DUPLICATE_MAPPED_COLUMN"),
        ({"mapping": '["Subject"]'}, "MALFORMED_MAPPING"),
        ({"header_row": 9}, "EMPTY_HEADER_ROW"),
        ({"header_row": -1}, "NEGATIVE_HEADER_ROW"),
        ({"header_row": 1, "has_header": False}, "CONTRADICTORY_HEADER_OPTIONS"),
        ({"has_header": False}, "MISSING_TITLE_COLUMN"),
        ({"max_errors": -1}, "NEGATIVE_MAX_ERRORS"),
        ({"default_status": 99}, "UNKNOWN_STATUS"),
        ({"default_assignee": "nobody"}, "UNKNOWN_ASSIGNEE"),
        ({"default_labels": "a," + "b" * 65}, "LABEL_TOO_LONG"),
        ({"default_labels": ",".join(map(str, range(51)))}, "TOO_MANY_LABELS"),
    ],
)
async def test_invalid_upload_option_is_refused(system, database, options, reason):
    sonu = await system.new_user("sonu")
    status = await refused(upload(system, sonu, FILE, **options))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]
