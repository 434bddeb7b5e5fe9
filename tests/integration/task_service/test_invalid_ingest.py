"""Invalid messages of a worker: the error names the invalid field and is no internal error."""

import grpc
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.imports.v1 import import_pb2

from tests.integration.task_service.import_calls import END, batch, get, upload
from tests.support.grpc_calls import refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "x" * 256])
async def test_invalid_worker_name_gets_no_lease(system, worker, name):
    request = ingest_pb2.ClaimNextImportRequest(worker=name)
    call = system.ingest.ClaimNextImport(request, metadata=worker.metadata)
    status = await refused(call)
    assert (status.code, status.reason) == (INVALID, "INVALID_WORKER")


async def test_offset_outside_the_file_is_refused(system, worker):
    await upload(system, await system.new_user("sonu"))
    lease = await worker.claim()
    status = await refused(worker.read(lease, -1))
    assert (status.code, status.reason) == (INVALID, "NEGATIVE_OFFSET")
    status = await refused(worker.read(lease, lease.size + 1))
    assert (status.code, status.reason) == (grpc.StatusCode.OUT_OF_RANGE, "OFFSET_BEHIND_END")
    assert await worker.read(lease, lease.size) == b""


def _with_unknown_defect_kind(message: ingest_pb2.RowBatch) -> None:
    message.defects.add(row=0, kind=77)


def _without_defect_kind(message: ingest_pb2.RowBatch) -> None:
    message.defects.add(row=0)


def _with_defect_of_a_missing_row(message: ingest_pb2.RowBatch) -> None:
    message.defects.add(row=1, kind=ingest_pb2.RowDefect.KIND_UNDECODABLE)


def _with_end_after_the_file(message: ingest_pb2.RowBatch) -> None:
    message.end.offset = 2**62


def _with_more_lines_than_bytes(message: ingest_pb2.RowBatch) -> None:
    message.end.line = 2**62


def _with_a_line_after_its_end(message: ingest_pb2.RowBatch) -> None:
    message.lines[0] = message.end.line + 1


def _with_a_line_before_its_begin(message: ingest_pb2.RowBatch) -> None:
    message.lines[0] = -1


def _with_end_before_begin(message: ingest_pb2.RowBatch) -> None:
    message.end.line = message.begin.line - 1
    del message.lines[:], message.cells[:]
    message.end.records = message.begin.records


@pytest.mark.parametrize(
    "make_invalid",
    [
        _with_unknown_defect_kind,
        _without_defect_kind,
        _with_defect_of_a_missing_row,
        _with_end_after_the_file,
        _with_more_lines_than_bytes,
        _with_a_line_after_its_end,
        _with_a_line_before_its_begin,
        _with_end_before_begin,
    ],
)
async def test_malformed_batch_changes_nothing(system, worker, make_invalid):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    message = batch(lease.checkpoint, ["a", "", ""], size=5)
    make_invalid(message.batch)
    status = await refused(worker.stream(lease, message))
    assert (status.code, status.reason) == (INVALID, "MALFORMED_BATCH")
    found = await get(system, sonu, queued.id)
    assert (found.rows_read, found.bytes_read) == (0, lease.checkpoint.offset)
    assert len(await worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], size=5), END)) == 3


@pytest.mark.parametrize(
    ("cells", "records"),
    [(["x"], []), (["x"], ["a,x", "b,y"]), (["x", "y"], ["a,x"]), ([""], ['"a']), (["x"] * 40, [])],
)
async def test_batch_has_used_cells_and_records(system, worker, cells, records):
    """The dialect of a wide file names the used columns. A rejected row needs a valid record."""
    sonu = await system.new_user("sonu")
    await upload(system, sonu, b"a,title" + b",unused" * 38 + b"\nb,x\n")
    lease = await worker.claim()
    assert list(lease.dialect.used_columns) == [1]
    message = batch(lease.checkpoint, cells, size=4)
    message.batch.records.extend(records)
    status = await refused(worker.stream(lease, message))
    assert (status.code, status.reason) == (INVALID, "MALFORMED_BATCH")
    valid = batch(lease.checkpoint, ["x"], size=4)
    valid.batch.records.append("b,x")
    assert len(await worker.stream(lease, valid, END)) == 3


@pytest.mark.parametrize("failure", [{"code": 77, "line": 3}, {"line": 3}, {"code": 1, "line": -1}])
async def test_unknown_parse_failure_does_not_end_the_import(system, worker, failure):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    finish = ingest_pb2.IngestFinish(failure=ingest_pb2.ParseFailure(**failure))
    status = await refused(worker.stream(lease, ingest_pb2.IngestRowsRequest(finish=finish)))
    assert (status.code, status.reason) == (INVALID, "UNKNOWN_PARSE_FAILURE")
    assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_RUNNING
