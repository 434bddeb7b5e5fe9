"""The use cases against a real gRPC server that keeps imports in memory."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import count, repeat
from typing import Any

import grpc
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as pb

from chassis.rpc.client import open_channel
from chassis.rpc.request_context import enter_request
from chassis.rpc.service_token import TokenSource
from import_worker.clients.grpc_ingest import GrpcIngestClient
from import_worker.clients.service_token import ServiceTokenIssuer
from import_worker.domain.record_parser import BatchLimits
from import_worker.usecases.process_lease import ProcessingPolicy, ProcessLease
from import_worker.usecases.process_queue import ProcessQueue
from tests.integration.import_worker.ingest_server import CREDENTIAL, HEADER, IngestServer, StoredImport, serving
from tests.support.waiting import until

ROWS = [(f"title {number}", f"text {number}") for number in range(2000)]
DATA = "".join(f"{title},{text}\n" for title, text in ROWS).encode()


def _tasks() -> set[asyncio.Task[Any]]:
    """Return the tasks of this event loop, without those that a gRPC server of another test begins at any time."""
    return {
        task for task in asyncio.all_tasks() if not getattr(task.get_coro(), "__qualname__", "").startswith("AioServer")
    }


class Worker:
    """A worker that is wired as in bootstrap, with a clock, a pause and a stop flag of the test."""

    def __init__(self, *, credential: str = CREDENTIAL, read_timeout_seconds: float = 20.0) -> None:
        self.credential = credential
        self.read_timeout_seconds = read_timeout_seconds
        self.clock: Iterator[float] = repeat(0.0)
        self.is_stopping = False
        self.pauses: list[float] = []

    async def __call__(self, server: IngestServer) -> None:
        """Process what waits at the server, and check that no call and no task is left."""
        tasks_before = _tasks()
        async with AsyncExitStack() as stack:
            target = stack.enter_context(serving(server))
            channel = await stack.enter_async_context(open_channel(target))
            issue = ServiceTokenIssuer(channel, credential=self.credential, timeout_seconds=5)
            client = GrpcIngestClient(
                channel,
                token=TokenSource(issue=issue),
                worker_name="test:1",
                read_timeout_seconds=self.read_timeout_seconds,
            )
            process_lease = ProcessLease(
                client=client,
                is_stopping=lambda: self.is_stopping,
                batch_limits=BatchLimits(max_rows=100),
                policy=ProcessingPolicy(),
                monotonic=lambda: next(self.clock),
                sleep=self._pause,
            )
            await ProcessQueue(client=client, process_lease=process_lease, is_stopping=lambda: self.is_stopping)()
            assert await asyncio.to_thread(server.wait_until_idle)
        await until(lambda: _tasks() <= tasks_before)  # gRPC ends the task of a broken stream a moment later

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def worker() -> Worker:
    return Worker()


def assert_imported_once(stored: StoredImport) -> None:
    assert stored.state == "succeeded"
    assert stored.rows == ROWS
    assert stored.lines == list(range(2, 2002))


async def test_every_row_arrives_once(worker):
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    await worker(server)
    assert_imported_once(stored)
    assert stored.batch_sizes == [100] * 20
    assert server.streams_opened == 1
    assert server.tokens.issued == 1


async def test_all_waiting_imports_are_processed(worker):
    server = IngestServer(StoredImport.of("one", DATA), StoredImport.of("two", DATA))
    await worker(server)
    assert [stored.state for stored in server.imports.values()] == ["succeeded", "succeeded"]
    assert len(server.claimed_by) == 3


async def test_empty_queue_ends_after_one_claim(worker):
    server = IngestServer()
    await worker(server)
    assert server.claimed_by == ["test:1"]


async def test_file_without_rows_succeeds(worker):
    stored = StoredImport.of("one", b"")
    await worker(IngestServer(stored))
    assert stored.state == "succeeded"


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED])
@pytest.mark.parametrize("fault", ["cut_before", "cut_after"])
async def test_interrupted_stream_resumes_at_the_checkpoint(worker, fault, code):
    """A stream that is interrupted is opened again under the same fence, at the checkpoint of the server."""
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.cut_code = code
    setattr(server, fault, [3, 5, 1])
    await worker(server)
    assert_imported_once(stored)
    assert server.streams_opened == 4
    assert stored.fence == 1
    assert len(worker.pauses) == 3


async def test_revoked_token_is_replaced(worker):
    """A token that is revoked while a stream is open is replaced, and the import goes on."""
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.cut_code = grpc.StatusCode.UNAUTHENTICATED
    server.cut_revokes_token = True
    server.cut_after = [3, 2]
    await worker(server)
    assert_imported_once(stored)
    assert server.tokens.issued == 3


@pytest.mark.parametrize("code", list(grpc.StatusCode))
async def test_stream_resumes_unless_the_status_is_final(worker, code):
    """A status is never mistaken for a cancellation of the task. The stream resumes unless the status is final."""
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.reject_open_with = [code]
    await worker(server)
    final_codes = {
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.DATA_LOSS,
    }
    assert stored.state == ("running" if code in final_codes else "succeeded")


async def test_calls_carry_the_request_id(worker):
    enter_request("request-1")
    server = IngestServer(StoredImport.of("one", DATA))
    await worker(server)
    assert server.request_ids == {"request-1"}


async def test_calls_for_a_lease_carry_the_request_id_of_the_upload(worker):
    enter_request("request-1")
    stored = StoredImport.of("one", DATA)
    stored.request_id = "upload-1"
    server = IngestServer(stored)
    await worker(server)
    assert server.request_ids == {"request-1", "upload-1"}


async def test_silent_server_counts_as_connection_lost():
    worker = Worker(read_timeout_seconds=0.3)
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.silent_at = [4]
    await worker(server)
    assert_imported_once(stored)
    assert server.streams_opened == 2


async def test_reconnects_without_progress_back_off_and_end(worker):
    """A lease without progress is abandoned after the maximum of retries, with growing pauses."""
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.cut_before = [1] * 50
    await worker(server)
    assert stored.state == "running"  # it is claimed again when the lease has expired
    assert server.streams_opened == 7
    assert len(worker.pauses) == 6
    assert all(0.1 <= pause <= 2.0 for pause in worker.pauses)
    assert worker.pauses[-1] >= 1.0


async def test_lost_lease_is_dropped_and_next_import_claimed(worker):
    lost, other = StoredImport.of("lost", DATA), StoredImport.of("other", DATA)
    server = IngestServer(lost, other)
    server.lose_at = [3]
    await worker(server)
    assert lost.state == "running"
    assert lost.rows == ROWS[:200]
    assert_imported_once(other)
    # grpc.aio can report INTERNAL instead (grpc/grpc#36066): a second stream then shows that the lease is lost.
    assert server.streams_opened == 2 + len(worker.pauses)
    assert len(worker.pauses) <= 1


async def test_lease_is_released_after_its_time_slice(worker):
    """A lease is released after its time slice if other imports wait, and is claimed again later."""
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.has_pending = True
    worker.clock = count(0.0, 7.0)
    await worker(server)
    assert_imported_once(stored)
    assert stored.fence > 1
    assert len(server.claimed_by) == stored.fence + 1


async def test_lease_outlasts_its_time_slice_if_none_waits(worker):
    stored = StoredImport.of("one", DATA)
    worker.clock = count(0.0, 1000.0)
    await worker(IngestServer(stored))
    assert_imported_once(stored)
    assert stored.fence == 1


async def test_stop_releases_the_lease_between_batches(worker):
    """A stop releases the lease between two batches, and no other import is claimed."""
    stored = StoredImport(id="endless", chunks=repeat(DATA), size=10**12)
    other = StoredImport.of("other", DATA)
    server = IngestServer(stored, other)

    async def stop_after_first_commit():
        await asyncio.to_thread(server.has_committed.wait)
        worker.is_stopping = True

    await asyncio.gather(worker(server), stop_after_first_commit())
    assert stored.state == "queued"
    assert stored.rows
    assert len(stored.rows) % 100 == 0
    assert stored.checkpoint.records == len(stored.rows)
    assert other.state == "queued"


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (b'"open,x\ny,z\n', pb.ParseFailure.CODE_UNCLOSED_QUOTE),
        (b'"a"b,c\n', pb.ParseFailure.CODE_STRAY_QUOTE),
        (b"x" * 1_100_000 + b"\n", pb.ParseFailure.CODE_RECORD_TOO_LARGE),
    ],
)
async def test_unreadable_record_fails_the_import(worker, tail, code):
    """An unreadable record fails the import, and the rows before it stay."""
    stored = StoredImport.of("one", DATA + tail)
    await worker(IngestServer(stored))
    assert stored.state == "failed"
    assert stored.failure == pb.ParseFailure(code=code, line=2002)
    assert stored.rows == ROWS


async def test_truncated_file_fails_at_its_end(worker):
    stored = StoredImport(id="one", chunks=[DATA], size=len(HEADER) + len(DATA) + 5)
    await worker(IngestServer(stored))
    assert stored.failure == pb.ParseFailure(code=pb.ParseFailure.CODE_FILE_CUT_SHORT, line=2002)
    assert stored.rows == ROWS


async def test_short_read_is_repeated_before_the_file_fails(worker):
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.short_reads = [1000, 777]
    await worker(server)
    assert_imported_once(stored)
    assert server.read_offsets == [len(HEADER), len(HEADER) + 1000, len(HEADER) + 1777]


async def test_rows_with_defects_are_sent(worker):
    stored = StoredImport.of("one", b"a,b,c\n\xff,d\n")
    await worker(IngestServer(stored))
    assert stored.rows == [("a", "b"), ("\ufffd", "d")]


async def test_invalid_credential_leaves_the_import_waiting():
    stored = StoredImport.of("one", DATA)
    await Worker(credential="import_worker.wrong")(IngestServer(stored))
    assert stored.state == "queued"
