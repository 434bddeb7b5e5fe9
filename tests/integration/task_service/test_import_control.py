"""Cancelling an import, its rate, and errors.csv."""

import csv
import io

import grpc
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from task_service.imports.domain.rows.failed_rows import MAX_STORED_FAILED_ROWS
from tests.integration.task_service.import_calls import END, FILE, RELEASE_LEASE, batch, get, upload
from tests.integration.task_service.undo_calls import undo
from tests.support.grpc_calls import refused

HEADER = b"Titel,subject,description,Status\n"


async def cancel(system, user, import_id: str) -> import_pb2.Import:
    request = import_service_pb2.CancelImportRequest(id=import_id)
    return await system.imports.CancelImport(request, metadata=user.metadata)


async def errors_csv(system, user, import_id: str, **file_format) -> str:
    request = import_service_pb2.DownloadImportErrorsRequest(import_id=import_id, **file_format)
    call = system.imports.DownloadImportErrors(request, metadata=user.metadata)
    return b"".join([piece.data async for piece in call]).decode()


async def test_cancelled_queued_import_is_never_claimed(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    cancelled = await cancel(system, sonu, queued.id)
    assert cancelled.state == import_pb2.Import.STATE_CANCELLED
    assert cancelled.HasField("finished_at")
    assert await worker.claim() is None
    assert await cancel(system, sonu, queued.id) == cancelled


async def test_cancelled_import_keeps_committed_rows(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    first = batch(lease.checkpoint, ["a", "", ""], size=5)
    await worker.stream(lease, first)
    cancelled = await cancel(system, sonu, queued.id)
    assert (cancelled.state, cancelled.rows_created) == (import_pb2.Import.STATE_CANCELLED, 1)
    for attempt in (batch(first.batch.end, ["b", "", ""], size=5), END, RELEASE_LEASE):
        assert (await refused(worker.stream(lease, attempt))).reason == "LEASE_LOST"
    assert (await get(system, sonu, queued.id)) == cancelled


async def test_ended_import_can_not_be_cancelled(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    await worker.stream(await worker.claim(), END)
    status = await refused(cancel(system, sonu, queued.id))
    assert (status.code, status.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "IMPORT_ENDED")
    assert status.message == "The import has already ended. Its state is succeeded."


async def test_uploading_import_can_not_be_cancelled(system, database):
    """Nor can it be undone, and the error does not advise to cancel it."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    await database.execute("UPDATE tasks.imports SET state = 'uploading'")
    for call in (cancel, undo):
        assert (await refused(call(system, sonu, queued.id))).reason == "IMPORT_STILL_UPLOADING"


async def test_other_users_can_not_cancel_or_download_errors(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    queued = await upload(system, sonu)
    assert (await refused(cancel(system, mina, queued.id))).reason == "IMPORT_NOT_FOUND"
    assert (await refused(errors_csv(system, mina, queued.id))).reason == "IMPORT_NOT_FOUND"
    assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_QUEUED


async def test_errors_csv_can_be_corrected_and_uploaded_again(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, HEADER + b"x" * 100)
    lease = await worker.claim()
    rows = ["1", "Good", "", ""], ["2", "", "two\nlines", "someday"], ["=3+1", "'-4", "a,b\0", "pending"]
    await worker.stream(lease, batch(lease.checkpoint, *rows, size=100), END)
    text = await errors_csv(system, sonu, queued.id)
    for_excel = await errors_csv(system, sonu, queued.id, bom=True, delimiter=";")
    assert for_excel.startswith("\ufeffTitel;subject;")
    assert list(csv.reader(io.StringIO(for_excel[1:]), delimiter=";")) == list(csv.reader(io.StringIO(text)))
    names, *failed = csv.reader(io.StringIO(text))
    assert names == ["Titel", "subject", "description", "Status", "import_errors"]
    assert failed == [
        [
            "2",
            "",
            "two\nlines",
            "someday",
            (
                "line 3: A task needs a title. Unknown status 'someday'. Use pending, in_progress, completed or"
                ' cancelled, or map it with value_mapping={"status": {"someday": "pending"}}.'
            ),
        ],
        ["'=3+1", "'-4", "a,b�", "pending", "line 4: The description must not contain the character U+0000."],
    ]
    again = await upload(system, sonu, text.encode())
    assert list(again.warnings) == ["The column 'Titel' is not used."]
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, *failed, size=50), END)
    errors_again = list(csv.reader(io.StringIO(await errors_csv(system, sonu, again.id))))
    assert errors_again[0] == names
    # No second apostrophe is added, however often the file is uploaded again.
    assert [row[:4] for row in errors_again[1:]] == [row[:4] for row in failed]


async def test_rejected_rows_above_the_quota_are_only_counted(system, worker, database):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    await database.execute(f"UPDATE tasks.imports SET failed_rows_kept = {MAX_STORED_FAILED_ROWS.rows - 2}")
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, *[["", "", ""]] * 5, size=5), END)
    done = await get(system, sonu, queued.id)
    assert (done.rows_failed, done.failed_rows_kept) == (5, MAX_STORED_FAILED_ROWS.rows)
    assert len((await errors_csv(system, sonu, queued.id)).splitlines()) == 1 + 2
    assert await database.execute("SELECT count(*) FROM tasks.import_errors") == [(2,)]


async def test_import_reports_rate_and_time_left(system, worker, database):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, FILE + b"a;;\n" * 50)
    assert (queued.rows_per_second, queued.seconds_left) == (0, 0)
    lease = await worker.claim()
    await database.execute("UPDATE tasks.imports SET started_at = now() - interval '10 s'")
    await worker.stream(lease, batch(lease.checkpoint, *[["a", "", ""]] * 50, size=1))
    running = await get(system, sonu, queued.id)
    assert running.rows_per_second in {4, 5}  # 50 rows in ten seconds and a little
    assert running.seconds_left > 0
    await worker.stream(lease, END)
    done = await get(system, sonu, queued.id)
    assert done.seconds_left == 0
