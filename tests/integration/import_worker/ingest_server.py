"""An ImportIngestService in memory, with the faults that a real one may show; also issues the worker's token."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.auth.v1.auth_service_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server
from taskmanager.imports.v1 import import_ingest_service_pb2 as pb
from taskmanager.imports.v1.import_ingest_service_pb2_grpc import (
    ImportIngestServiceServicer,
    add_ImportIngestServiceServicer_to_server,
)

from chassis.rpc.errors import DETAILS_KEY, RichStatus

CREDENTIAL = "import_worker.c2VjcmV0"
TOKEN = "a-token"
HEADER = b"title,description\n"


@dataclass
class StoredImport:
    """One import and what was done to it. `pieces` is the file behind its header line; it may have no end."""

    id: str
    pieces: Iterable[bytes]
    size: int
    columns: int = 2
    state: str = "queued"
    fence: int = 0
    checkpoint: pb.Checkpoint = field(default_factory=lambda: pb.Checkpoint(offset=len(HEADER), line=2))
    rows: list[tuple[str, ...]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    failure: pb.ParseFailure | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, import_id: str, data: bytes, **more: Any) -> "StoredImport":
        return cls(id=import_id, pieces=[data], size=len(HEADER) + len(data), **more)

    def commit(self, batch: pb.RowBatch) -> None:
        cells, width = list(batch.cells), self.columns
        self.rows += [tuple(cells[place : place + width]) for place in range(0, len(cells), width)]
        self.lines += batch.lines
        self.batches.append(len(batch.lines))
        self.checkpoint = batch.end

    def settle(self, finish: pb.IngestFinish) -> None:
        reason = finish.WhichOneof("reason")
        self.state = {"end_of_file": "succeeded", "give_back": "queued", "failure": "failed"}[str(reason)]
        if reason == "failure":
            self.failure = finish.failure
        self.ended.set()


class Tokens(AuthServiceServicer):
    """Knows one credential and issues one token."""

    def __init__(self) -> None:
        self.issued = 0

    def IssueServiceToken(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        if request.credential != CREDENTIAL:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no such credential")
        self.issued += 1
        return auth_service_pb2.IssueServiceTokenResponse(access_token=TOKEN, token_type="Bearer", expires_in=900)

    def Register(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        raise NotImplementedError

    Login = GetJwks = Register


class IngestServer(ImportIngestServiceServicer):
    """Leases its imports in order. Each fault is a list that is used up: one entry for each IngestRows call.

    cut_before, cut_after: end the stream before or after committing this batch (counted from 1), unanswered.
    lose_at: give the lease to somebody else before this batch.
    silent_at: answer nothing any more from this batch on, until the call is cancelled.
    """

    def __init__(self, *imports: StoredImport) -> None:
        self.imports = {one.id: one for one in imports}
        self.cut_before: list[int] = []
        self.cut_after: list[int] = []
        self.cut_with = grpc.StatusCode.UNAVAILABLE
        self.lose_at: list[int] = []
        self.silent_at: list[int] = []
        self.others_wait = False
        self.committed = threading.Event()
        self.opened = 0
        self.open_now = 0
        self.reads: list[int] = []
        self.short_reads: list[int] = []
        self.tokens = Tokens()  # type: ignore[abstract]  # the others are not called
        self.claims: list[str] = []
        self.outside = threading.Condition()
        """Notified whenever a call ends."""

    def ClaimNextImport(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._check_token(context)
        self.claims.append(request.worker)
        for one in self.imports.values():
            if one.state == "queued":
                one.state = "running"
                one.fence += 1
                dialect = pb.Dialect(delimiter=",", columns=one.columns)
                lease = pb.Lease(
                    import_id=one.id, fence=one.fence, dialect=dialect, checkpoint=one.checkpoint, size=one.size
                )
                return pb.ClaimNextImportResponse(lease=lease)
        return pb.ClaimNextImportResponse()

    def ReadUpload(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        self._check_token(context)
        one = self._leased(request, context)
        self.reads.append(request.offset)
        stop_after = self.short_reads.pop(0) if self.short_reads else None
        position = len(HEADER)
        sent = 0
        with self._counted():
            for piece in one.pieces:
                begin = max(0, request.offset - position)
                position += len(piece)
                for place in range(begin, len(piece), 64 * 1024):
                    chunk = piece[place : place + 64 * 1024]
                    if stop_after is not None and sent + len(chunk) >= stop_after:
                        yield pb.ReadUploadResponse(chunk=chunk[: stop_after - sent])
                        return
                    sent += len(chunk)
                    yield pb.ReadUploadResponse(chunk=chunk)

    def IngestRows(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        self._check_token(context)
        self.opened += 1
        plan = {
            name: faults.pop(0) if faults else 0
            for name, faults in (
                ("before", self.cut_before),
                ("after", self.cut_after),
                ("lose", self.lose_at),
                ("silent", self.silent_at),
            )
        }
        with self._counted():
            one = self._leased(next(request_iterator).open, context)
            fence = one.fence
            yield pb.IngestRowsResponse(checkpoint=one.checkpoint, others_wait=self.others_wait)
            for place, request in enumerate(request_iterator, start=1):
                if place == plan["lose"]:
                    one.fence += 1
                if one.fence != fence:
                    self._lease_lost(context)
                if plan["silent"] and place >= plan["silent"]:
                    continue
                if request.WhichOneof("message") == "finish":
                    one.settle(request.finish)
                    yield pb.IngestRowsResponse(checkpoint=one.checkpoint, finished=True)
                    return
                if place == plan["before"]:
                    self._cut(context)
                    return
                if request.batch.begin != one.checkpoint:
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not at the checkpoint")
                one.commit(request.batch)
                self.committed.set()
                if place == plan["after"]:
                    self._cut(context)
                    return
                yield pb.IngestRowsResponse(checkpoint=one.checkpoint, others_wait=self.others_wait)

    def until_quiet(self) -> bool:
        """Wait until no call is open any more."""
        with self.outside:
            return self.outside.wait_for(lambda: self.open_now == 0, timeout=20)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self.outside:
            self.open_now += 1
        try:
            yield
        finally:
            with self.outside:
                self.open_now -= 1
                self.outside.notify_all()

    def _cut(self, context: grpc.ServicerContext) -> None:
        if self.cut_with is not grpc.StatusCode.OK:  # a draining server just ends the stream
            context.abort(self.cut_with, "cut by the test")

    def _check_token(self, context: grpc.ServicerContext) -> None:
        if ("authorization", f"Bearer {TOKEN}") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")

    def _leased(self, request: Any, context: grpc.ServicerContext) -> StoredImport:
        one = self.imports[request.import_id]
        if request.fence != one.fence:
            self._lease_lost(context)
        return one

    def _lease_lost(self, context: grpc.ServicerContext) -> None:
        status = RichStatus(grpc.StatusCode.FAILED_PRECONDITION, "somebody else holds the lease", "LEASE_LOST")
        context.set_trailing_metadata(((DETAILS_KEY, status.pack()),))
        context.abort(status.code, status.message)


@contextmanager
def serving(servicer: IngestServer) -> Iterator[str]:
    """Serve on a free port; yields the target."""
    server = grpc.server(ThreadPoolExecutor(max_workers=16), options=[("grpc.so_reuseport", 0)])
    add_ImportIngestServiceServicer_to_server(servicer, server)
    add_AuthServiceServicer_to_server(servicer.tokens, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()
