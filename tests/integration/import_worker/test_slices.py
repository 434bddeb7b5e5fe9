"""The use cases against a real gRPC server that keeps imports in memory."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, repeat

import grpc
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as pb

from chassis.rpc.client import sync_channel
from chassis.rpc.service_token import ThreadTokenSource
from import_worker.clients.grpc_ingest import GrpcIngest
from import_worker.clients.service_token import ServiceTokenIssuer
from import_worker.domain.record_reader import BatchLimits
from import_worker.usecases.import_slice import ImportSlice, SlicePolicy
from import_worker.usecases.run_slices import RunSlices
from tests.integration.import_worker.ingest_server import CREDENTIAL, HEADER, IngestServer, StoredImport, serving

ROWS = [(f"title {number}", f"text {number}") for number in range(2000)]
DATA = "".join(f"{title},{text}\n" for title, text in ROWS).encode()


class Run:
    """A worker's job, wired as bootstrap does but with a clock, a pause and a stop of the test's."""

    def __init__(self, *, credential: str = CREDENTIAL, patience: float = 20.0) -> None:
        self.credential = credential
        self.patience = patience
        self.ticks: Iterator[float] = repeat(0.0)
        self.stop = False
        self.pauses: list[float] = []

    def __call__(self, server: IngestServer) -> None:
        with ExitStack() as exits:
            target = exits.enter_context(serving(server))
            auth = exits.enter_context(sync_channel(target))
            token = ThreadTokenSource(issue=ServiceTokenIssuer(auth, credential=self.credential, timeout=5))
            channel = exits.enter_context(sync_channel(target, token=token))
            ingest = GrpcIngest(channel, worker="test:1", patience=self.patience)
            work = ImportSlice(
                ingest=ingest,
                stopping=lambda: self.stop,
                batches=BatchLimits(rows=100),
                policy=SlicePolicy(),
                monotonic=lambda: next(self.ticks),
                sleep=self.pauses.append,
            )
            RunSlices(ingest=ingest, import_slice=work, stopping=lambda: self.stop)()
            assert server.until_quiet()
        assert not [one for one in threading.enumerate() if one.name == "call-reader"]


@pytest.fixture
def run() -> Run:
    return Run()


def assert_imported_once(stored: StoredImport) -> None:
    assert stored.state == "succeeded"
    assert stored.rows == ROWS
    assert stored.lines == list(range(2, 2002))


def test_every_row_arrives_once_and_the_import_succeeds(run):
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    run(server)
    assert_imported_once(stored)
    assert stored.batches == [100] * 20
    assert server.opened == 1
    assert server.tokens.issued == 1


def test_everything_that_waits_is_worked_before_the_task_ends(run):
    server = IngestServer(StoredImport.of("one", DATA), StoredImport.of("two", DATA))
    run(server)
    assert [one.state for one in server.imports.values()] == ["succeeded", "succeeded"]
    assert len(server.claims) == 3


def test_nothing_waiting_is_nothing_done(run):
    server = IngestServer()
    run(server)
    assert server.claims == ["test:1"]


def test_a_file_with_a_header_line_only_succeeds(run):
    stored = StoredImport.of("one", b"")
    run(IngestServer(stored))
    assert stored.state == "succeeded"


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED])
@pytest.mark.parametrize("fault", ["cut_before", "cut_after"])
def test_a_stream_that_is_cut_is_opened_again_at_the_servers_checkpoint(run, fault, code):
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.cut_with = code
    setattr(server, fault, [3, 5, 1])
    run(server)
    assert_imported_once(stored)
    assert server.opened == 4
    assert stored.fence == 1
    assert len(run.pauses) == 3


def test_a_server_that_falls_silent_counts_as_cut():
    run = Run(patience=0.3)
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.silent_at = [4]
    run(server)
    assert_imported_once(stored)
    assert server.opened == 2


def test_a_server_that_cuts_each_time_without_progress_is_given_up_with_growing_pauses(run):
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.cut_before = [1] * 50
    run(server)
    assert stored.state == "running"  # the lease expires and brings it back
    assert server.opened == 7
    assert len(run.pauses) == 6
    assert all(0.1 <= pause <= 2.0 for pause in run.pauses)
    assert run.pauses[-1] >= 1.0


def test_a_lost_lease_is_dropped_and_the_next_import_claimed(run):
    lost, other = StoredImport.of("lost", DATA), StoredImport.of("other", DATA)
    server = IngestServer(lost, other)
    server.lose_at = [3]
    run(server)
    assert lost.state == "running"
    assert lost.rows == ROWS[:200]
    assert_imported_once(other)
    assert run.pauses == []


def test_after_its_time_a_slice_is_given_back_if_others_wait(run):
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.others_wait = True
    run.ticks = count(0.0, 7.0)
    run(server)
    assert_imported_once(stored)
    assert stored.fence > 1
    assert len(server.claims) == stored.fence + 1


def test_a_slice_goes_on_past_its_time_if_nobody_waits(run):
    stored = StoredImport.of("one", DATA)
    run.ticks = count(0.0, 1000.0)
    run(IngestServer(stored))
    assert_imported_once(stored)
    assert stored.fence == 1


def test_a_stop_gives_the_slice_back_between_two_batches_and_claims_no_other(run):
    stored = StoredImport(id="endless", pieces=repeat(DATA), size=10**12)
    other = StoredImport.of("other", DATA)
    server = IngestServer(stored, other)

    def stop_once_rows_are_committed():
        server.committed.wait()
        run.stop = True

    watcher = threading.Thread(target=stop_once_rows_are_committed)
    watcher.start()
    run(server)
    watcher.join()
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
def test_what_cant_be_read_on_fails_the_import_and_the_rows_before_stay(run, tail, code):
    stored = StoredImport.of("one", DATA + tail)
    run(IngestServer(stored))
    assert stored.state == "failed"
    assert stored.failure == pb.ParseFailure(code=code, line=2002)
    assert stored.rows == ROWS


def test_a_file_shorter_than_its_size_fails_at_its_end(run):
    stored = StoredImport(id="one", pieces=[DATA], size=len(HEADER) + len(DATA) + 5)
    run(IngestServer(stored))
    assert stored.failure == pb.ParseFailure(code=pb.ParseFailure.CODE_FILE_CUT_SHORT, line=2002)
    assert stored.rows == ROWS


def test_an_answer_that_is_too_short_is_asked_for_again_before_the_file_is_blamed(run):
    stored = StoredImport.of("one", DATA)
    server = IngestServer(stored)
    server.short_reads = [1000, 777]
    run(server)
    assert_imported_once(stored)
    assert server.reads == [len(HEADER), len(HEADER) + 1000, len(HEADER) + 1777]


def test_defects_travel_with_their_rows(run):
    stored = StoredImport.of("one", b"a,b,c\n\xff,d\n")
    run(IngestServer(stored))
    assert stored.rows == [("a", "b"), ("\ufffd", "d")]


def test_a_refused_credential_ends_the_task_and_leaves_the_import_waiting():
    stored = StoredImport.of("one", DATA)
    Run(credential="import_worker.wrong")(IngestServer(stored))
    assert stored.state == "queued"
