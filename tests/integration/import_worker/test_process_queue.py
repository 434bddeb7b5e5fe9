"""The use cases against a real gRPC server that keeps imports in memory."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import count, repeat

import grpc
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as pb

from chassis.rpc.client import aio_channel
from chassis.rpc.service_token import TokenSource
from import_worker.clients.grpc_ingest import GrpcIngestClient
from import_worker.clients.service_token import ServiceTokenIssuer
from import_worker.domain.record_parser import BatchLimits
from import_worker.usecases.process_lease import ProcessingPolicy, ProcessLease
from import_worker.usecases.process_queue import ProcessQueue
from tests.integration.import_worker.ingest_server import CREDENTIAL, HEADER, IngestServer, StoredImport, serving

ROWS = [(f"title {number}", f"text {number}") for number in range(2000)]
DATA = "".join(f"{title},{text}\n" for title, text in ROWS).encode()


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
        tasks_before = asyncio.all_tasks()
        async with AsyncExitStack() as stack:
            target = stack.enter_context(serving(server))
            channel = await stack.enter_async_context(aio_channel(target))
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
            assert await asyncio.to_thread(server.until_quiet)
        assert asyncio.all_tasks() <= tasks_before

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def worker() -> Worker:
    return Worker()


def assert_imported_once(stored: StoredImport) -> None:
    assert stored.state == "succeeded"
    assert stored.rows == ROWS
    assert stored.lines == list(range(2, 2002))


async def test_every_row_arrives_once_and_the_import_succeeds(worker):
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    await worker(server)
    assert_imported_once(stored)
    assert stored.batches == [100] * 20
    assert server.opened == 1
    assert server.tokens.issued == 1


async def test_everything_that_waits_is_worked_before_the_task_ends(worker):
    server = IngestServer(StoredImport.of("one", DATA), StoredImport.of("two", DATA))
    await worker(server)
    assert [one.state for one in server.imports.values()] == ["succeeded", "succeeded"]
    assert len(server.claims) == 3


async def test_nothing_waiting_is_nothing_done(worker):
    server = IngestServer()
    await worker(server)
    assert server.claims == ["test:1"]


async def test_a_file_with_a_header_line_only_succeeds(worker):
    stored = StoredImport.of("one", b"")
    await worker(IngestServer(stored))
    assert stored.state == "succeeded"


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED])
@pytest.mark.parametrize("fault", ["cut_before", "cut_after"])
async def test_a_stream_that_is_cut_is_opened_again_at_the_servers_checkpoint(worker, fault, code):
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.cut_with = code
    setattr(server, fault, [3, 5, 1])
    await worker(server)
    assert_imported_once(stored)
    assert server.opened == 4
    assert stored.fence == 1
    assert len(worker.pauses) == 3


async def test_a_server_that_falls_silent_counts_as_cut():
    worker = Worker(read_timeout_seconds=0.3)
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.silent_at = [4]
    await worker(server)
    assert_imported_once(stored)
    assert server.opened == 2


async def test_a_server_that_cuts_each_time_without_progress_is_given_up_with_growing_pauses(worker):
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.cut_before = [1] * 50
    await worker(server)
    assert stored.state == "running"  # the lease expires and brings it back
    assert server.opened == 7
    assert len(worker.pauses) == 6
    assert all(0.1 <= pause <= 2.0 for pause in worker.pauses)
    assert worker.pauses[-1] >= 1.0


async def test_a_lost_lease_is_dropped_and_the_next_import_claimed(worker):
    lost, other = StoredImport.of("lost", DATA), StoredImport.of("other", DATA)
    server = IngestServer(lost, other)
    server.lose_at = [3]
    await worker(server)
    assert lost.state == "running"
    assert lost.rows == ROWS[:200]
    assert_imported_once(other)
    assert worker.pauses == []


async def test_after_its_time_a_slice_is_given_back_if_others_wait(worker):
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.others_wait = True
    worker.clock = count(0.0, 7.0)
    await worker(server)
    assert_imported_once(stored)
    assert stored.fence > 1
    assert len(server.claims) == stored.fence + 1


async def test_a_slice_goes_on_past_its_time_if_nobody_waits(worker):
    stored = StoredImport.of("one", DATA)
    worker.clock = count(0.0, 1000.0)
    await worker(IngestServer(stored))
    assert_imported_once(stored)
    assert stored.fence == 1


async def test_a_stop_gives_the_slice_back_between_two_batches_and_claims_no_other(worker):
    stored = StoredImport(id="endless", pieces=repeat(DATA), size=10**12)
    other = StoredImport.of("other", DATA)
    server = IngestServer(stored, other)

    async def stop_after_first_commit():
        await asyncio.to_thread(server.committed.wait)
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
async def test_what_cant_be_read_on_fails_the_import_and_the_rows_before_stay(worker, tail, code):
    stored = StoredImport.of("one", DATA + tail)
    await worker(IngestServer(stored))
    assert stored.state == "failed"
    assert stored.failure == pb.ParseFailure(code=code, line=2002)
    assert stored.rows == ROWS


async def test_a_file_shorter_than_its_size_fails_at_its_end(worker):
    stored = StoredImport(id="one", pieces=[DATA], size=len(HEADER) + len(DATA) + 5)
    await worker(IngestServer(stored))
    assert stored.failure == pb.ParseFailure(code=pb.ParseFailure.CODE_FILE_CUT_SHORT, line=2002)
    assert stored.rows == ROWS


async def test_an_answer_that_is_too_short_is_asked_for_again_before_the_file_is_blamed(worker):
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.short_reads = [1000, 777]
    await worker(server)
    assert_imported_once(stored)
    assert server.reads == [len(HEADER), len(HEADER) + 1000, len(HEADER) + 1777]


async def test_defects_travel_with_their_rows(worker):
    stored = StoredImport.of("one", b"a,b,c\n\xff,d\n")
    await worker(IngestServer(stored))
    assert stored.rows == [("a", "b"), ("\ufffd", "d")]


async def test_a_refused_credential_ends_the_task_and_leaves_the_import_waiting():
    stored = StoredImport.of("one", DATA)
    await Worker(credential="import_worker.wrong")(IngestServer(stored))
    assert stored.state == "queued"
