"""What a worker that does not keep to the contract is told: which of its words is wrong, not that the server is."""

import grpc
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.imports.v1 import import_pb2

from tests.integration.task_service.import_calls import END, batch, get, refused, upload

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "x" * 256])
async def test_a_worker_whose_name_can_not_be_kept_gets_no_lease(system, worker, name):
    request = ingest_pb2.ClaimNextImportRequest(worker=name)
    call = system.ingest.ClaimNextImport(request, metadata=worker.metadata)
    assert (await refused(call))[:2] == (INVALID, "INVALID_WORKER")


async def test_offset_outside_the_file_is_refused(system, worker):
    await upload(system, await system.new_user("sonu"))
    lease = await worker.claim()
    assert (await refused(worker.read(lease, -1)))[:2] == (INVALID, "NEGATIVE_OFFSET")
    behind = await refused(worker.read(lease, lease.size + 1))
    assert behind[:2] == (grpc.StatusCode.OUT_OF_RANGE, "OFFSET_BEHIND_END")
    assert await worker.read(lease, lease.size) == b""


def _with_kind(sent: ingest_pb2.RowBatch) -> None:
    sent.defects.add(row=0, kind=77)


def _with_no_kind(sent: ingest_pb2.RowBatch) -> None:
    sent.defects.add(row=0)


def _with_a_row_that_is_not_there(sent: ingest_pb2.RowBatch) -> None:
    sent.defects.add(row=1, kind=ingest_pb2.RowDefect.KIND_UNDECODABLE)


def _beyond_the_file(sent: ingest_pb2.RowBatch) -> None:
    sent.end.offset = 2**62


def _with_more_lines_than_bytes(sent: ingest_pb2.RowBatch) -> None:
    sent.end.line = 2**62


def _with_a_line_behind_its_end(sent: ingest_pb2.RowBatch) -> None:
    sent.lines[0] = sent.end.line + 1


def _with_a_line_before_its_begin(sent: ingest_pb2.RowBatch) -> None:
    sent.lines[0] = -1


def _that_ends_before_it_begins(sent: ingest_pb2.RowBatch) -> None:
    sent.end.line = sent.begin.line - 1
    del sent.lines[:], sent.cells[:]
    sent.end.records = sent.begin.records


@pytest.mark.parametrize(
    "spoil",
    [
        _with_kind,
        _with_no_kind,
        _with_a_row_that_is_not_there,
        _beyond_the_file,
        _with_more_lines_than_bytes,
        _with_a_line_behind_its_end,
        _with_a_line_before_its_begin,
        _that_ends_before_it_begins,
    ],
)
async def test_malformed_batch_changes_nothing(system, worker, spoil):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    sent = batch(lease.checkpoint, ["a", "", ""], size=5)
    spoil(sent.batch)
    assert (await refused(worker.stream(lease, sent)))[:2] == (INVALID, "MALFORMED_BATCH")
    found = await get(system, sonu, queued.id)
    assert (found.rows_read, found.bytes_read) == (0, lease.checkpoint.offset)
    assert len(await worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], size=5), END)) == 3


@pytest.mark.parametrize("failure", [{"code": 77, "line": 3}, {"line": 3}, {"code": 1, "line": -1}])
async def test_unknown_parse_failure_does_not_end_the_import(system, worker, failure):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    finish = ingest_pb2.IngestFinish(failure=ingest_pb2.ParseFailure(**failure))
    refusal = await refused(worker.stream(lease, ingest_pb2.IngestRowsRequest(finish=finish)))
    assert refusal[:2] == (INVALID, "UNKNOWN_PARSE_FAILURE")
    assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_RUNNING
