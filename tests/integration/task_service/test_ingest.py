"""Ingest: batches become tasks, row errors and checkpoints, and watchers see each commit."""

import base64
import hashlib

import grpc
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_service_pb2

from tests.integration.task_service.import_calls import END, FILE, batch, get, upload
from tests.support.grpc_calls import refused

ALL_ROWS = (
    "SELECT (SELECT count(*) FROM tasks.tasks), (SELECT count(*) FROM tasks.task_events),"
    " (SELECT count(*) FROM tasks.import_failed_rows), (SELECT count(*) FROM tasks.import_errors)"
)
"""Row counts of the tables that a batch writes."""


async def test_upload_is_stored_queued_and_imported(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, file_name="todo.csv")
    assert queued.state == import_pb2.Import.STATE_QUEUED
    assert (queued.file_name, queued.bytes_total, queued.owner_id) == ("todo.csv", len(FILE), sonu.id)

    lease = await worker.claim()
    assert (lease.dialect.delimiter, lease.dialect.columns, lease.size) == (";", 3, len(FILE))
    assert await worker.read(lease, 0) == FILE
    assert await worker.read(lease, lease.checkpoint.offset) == FILE[lease.checkpoint.offset :]
    rows = ["Buy milk", "2 litres", "pending"], ["Call mum", "", "in-progress"]
    size = len(FILE) - lease.checkpoint.offset
    responses = await worker.stream(lease, batch(lease.checkpoint, *rows, size=size), END)
    assert [response.checkpoint.records for response in responses] == [0, 2, 2]
    assert responses[-1].finished

    done = await get(system, sonu, queued.id)
    assert done.state == import_pb2.Import.STATE_SUCCEEDED
    assert (done.rows_read, done.rows_created, done.rows_failed, done.bytes_read) == (2, 2, 0, len(FILE))
    page = await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(import_id=queued.id), metadata=sonu.metadata)
    assert {task.title for task in page.tasks} == {"Buy milk", "Call mum"}
    events = await system.history.ListTaskEvents(
        history_service_pb2.ListTaskEventsRequest(task_id=page.tasks[0].id), metadata=sonu.metadata
    )
    assert [event.actor_id for event in events.events] == [sonu.id]


async def test_empty_batch_moves_the_checkpoint(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, b"title\n" + b"\n" * 100 + b"Buy milk\n")
    lease = await worker.claim()
    blank = batch(lease.checkpoint, size=100)
    blank.batch.end.line += 100
    responses = await worker.stream(lease, blank, batch(blank.batch.end, ["Buy milk"], size=9), END)
    assert [response.checkpoint.offset for response in responses] == [6, 106, 115, 115]
    done = await get(system, sonu, queued.id)
    assert (done.state, done.rows_created, done.bytes_read) == (import_pb2.Import.STATE_SUCCEEDED, 1, 115)


async def test_row_errors_are_listed_and_other_rows_imported(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    rows = ["Good", "", ""], ["", "a\0b", "someday"], ["Cut", "", ""], ["B�d", "", ""], ["Also good", "", "completed"]
    kinds = ingest_pb2.RowDefect.Kind
    defects = [
        ingest_pb2.RowDefect(row=2, kind=kinds.KIND_TOO_MANY_CELLS, cell=5),
        ingest_pb2.RowDefect(row=3, kind=kinds.KIND_UNDECODABLE, cell=0),
    ]
    await worker.stream(lease, batch(lease.checkpoint, *rows, size=10, defects=defects), END)
    done = await get(system, sonu, queued.id)
    assert (done.rows_read, done.rows_created, done.rows_failed) == (5, 2, 3)
    errors = []
    token = ""
    while True:
        page = await system.imports.ListImportErrors(
            import_service_pb2.ListImportErrorsRequest(import_id=queued.id, page_size=2, page_token=token),
            metadata=sonu.metadata,
        )
        errors += [(error.line, error.record, error.column, error.code, error.value) for error in page.errors]
        token = page.next_page_token
        if not token:
            break
    assert errors == [
        (3, 2, "title", "BLANK_TITLE", ""),
        (3, 2, "description", "FORBIDDEN_CHARACTER", "a�b"),
        (3, 2, "status", "UNKNOWN_STATUS", "someday"),
        (4, 3, "", "TOO_MANY_CELLS", ""),
        (5, 4, "title", "UNDECODABLE_BYTES", "B�d"),
    ]


async def test_committed_batch_is_refused_when_sent_again(system, worker, database):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    first = batch(lease.checkpoint, ["a", "", ""], size=5)
    await worker.stream(lease, first)
    status = await refused(worker.stream(lease, first))
    assert (status.code, status.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "BATCH_NOT_AT_CHECKPOINT",
    )
    (reopened,) = await worker.stream(lease)
    assert reopened.checkpoint.records == 1
    assert (await get(system, sonu, queued.id)).rows_created == 1
    assert await database.execute(ALL_ROWS) == [(1, 1, 0, 0)]


async def test_stream_without_finish_does_not_end_the_import(system, worker):
    """The stream of a crashed worker can end exactly like a complete one."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    first = batch(lease.checkpoint, ["a", "", ""], size=5)
    responses = await worker.stream(lease, first)
    assert not any(response.finished for response in responses)
    assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_RUNNING
    assert len(await worker.stream(lease)) == 1
    assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_RUNNING
    await worker.stream(lease, batch(first.batch.end, ["b", "", ""], size=5), END)
    done = await get(system, sonu, queued.id)
    assert (done.state, done.rows_created) == (import_pb2.Import.STATE_SUCCEEDED, 2)


async def test_parse_failure_keeps_the_earlier_rows(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    failure = ingest_pb2.ParseFailure(code=ingest_pb2.ParseFailure.CODE_UNCLOSED_QUOTE, line=3)
    finish = ingest_pb2.IngestRowsRequest(finish=ingest_pb2.IngestFinish(failure=failure))
    await worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], size=5), finish)
    failed = await get(system, sonu, queued.id)
    assert (failed.state, failed.rows_created) == (import_pb2.Import.STATE_FAILED, 1)
    assert (failed.failure.code, failed.failure.line) == ("UNCLOSED_QUOTE", 3)
    assert failed.failure.message == "A quote opened in the record that begins at line 3 is never closed."


async def test_watch_reports_each_commit_up_to_the_final_state(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    call = system.imports.WatchImport(import_service_pb2.WatchImportRequest(id=queued.id), metadata=sonu.metadata)
    updates = aiter(call)
    states = import_pb2.Import.State
    assert (await anext(updates)).state == states.STATE_QUEUED
    lease = await worker.claim()
    assert (await anext(updates)).state == states.STATE_RUNNING
    await worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], size=5))
    assert (await anext(updates)).rows_created == 1
    await worker.stream(lease, END)
    assert (await anext(updates)).state == states.STATE_SUCCEEDED
    assert [found async for found in updates] == []


@pytest.mark.parametrize(
    "trigger_event",
    [
        "UPDATE OF bytes_read ON tasks.imports",
        "INSERT ON tasks.tasks",
        "INSERT ON tasks.task_events",
        "UPDATE OF failed_rows_kept ON tasks.imports",
        "INSERT ON tasks.import_failed_rows",
        "INSERT ON tasks.import_errors",
    ],
)
async def test_failed_batch_rolls_back_with_its_checkpoint(system, worker, database, trigger_event):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    first = batch(lease.checkpoint, ["a", "", ""], ["", "", ""], size=5)
    await database.execute(f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
        CREATE TRIGGER refuse BEFORE {trigger_event} FOR EACH ROW EXECUTE FUNCTION refuse()
    """)
    assert (await refused(worker.stream(lease, first))).code is grpc.StatusCode.INTERNAL
    found = await get(system, sonu, queued.id)
    assert (found.rows_created, found.rows_failed, found.failed_rows_kept) == (0, 0, 0)
    assert found.bytes_read == lease.checkpoint.offset
    assert await database.execute(ALL_ROWS) == [(0, 0, 0, 0)]
    await database.execute("DROP FUNCTION refuse CASCADE")
    responses = await worker.stream(lease, first, END)
    assert [response.checkpoint.records for response in responses] == [0, 2, 2]
    assert await database.execute(ALL_ROWS) == [(1, 1, 1, 1)]


async def test_forged_page_token_is_refused(system):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    digest = hashlib.sha256(f"errors {sonu.id} {queued.id}".encode()).digest()[:8]
    forged = base64.urlsafe_b64encode(digest + b"short").decode().rstrip("=")
    request = import_service_pb2.ListImportErrorsRequest(import_id=queued.id, page_token=forged)
    call = system.imports.ListImportErrors(request, metadata=sonu.metadata)
    status = await refused(call)
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")
