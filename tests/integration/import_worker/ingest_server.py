"""ImportIngestService in memory, with the faults of a real one. It also issues the worker's token."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.auth.v1.auth_service_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server
from taskmanager.imports.v1 import import_ingest_service_pb2 as pb
from taskmanager.imports.v1.import_ingest_service_pb2_grpc import (
    ImportIngestServiceServicer,
    add_ImportIngestServiceServicer_to_server,
)

from chassis.rpc.errors import DETAILS_KEY, RichStatus

CREDENTIAL = "import_worker.c2VjcmV0"
HEADER = b"title,description\n"


@dataclass
class StoredImport:
    """An import and its rows. `chunks` is the file after its header; it may be endless."""

    id: str
    chunks: Iterable[bytes]
    size: int
    columns: int = 2
    state: str = "queued"
    request_id: str = ""
    fence: int = 0
    checkpoint: pb.Checkpoint = field(default_factory=lambda: pb.Checkpoint(offset=len(HEADER), line=2))
    rows: list[tuple[str, ...]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    batch_sizes: list[int] = field(default_factory=list)
    failure: pb.ParseFailure | None = None
    is_finished: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, import_id: str, data: bytes) -> "StoredImport":
        return cls(id=import_id, chunks=[data], size=len(HEADER) + len(data))

    def commit(self, batch: pb.RowBatch) -> None:
        cells = list(batch.cells)
        self.rows += [tuple(cells[index : index + self.columns]) for index in range(0, len(cells), self.columns)]
        self.lines += batch.lines
        self.batch_sizes.append(len(batch.lines))
        self.checkpoint = batch.end

    def finish(self, finish: pb.IngestFinish) -> None:
        reason = finish.WhichOneof("reason")
        self.state = {"end_of_file": "succeeded", "release_lease": "queued", "failure": "failed"}[str(reason)]
        if reason == "failure":
            self.failure = finish.failure
        self.is_finished.set()


class TokenIssuer(AuthServiceServicer):
    """Issuer of tokens for one credential. Only its newest token is valid."""

    def __init__(self) -> None:
        self.issued = 0
        self.valid = ""

    def IssueServiceToken(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        if request.credential != CREDENTIAL:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "unknown credential")
        self.issued += 1
        self.valid = f"token-{self.issued}"
        return auth_service_pb2.IssueServiceTokenResponse(access_token=self.valid, token_type="Bearer", expires_in=900)

    def revoke(self) -> None:
        """Make every token that has been issued invalid."""
        self.valid = ""

    def Register(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        raise NotImplementedError

    Login = GetJwks = Register


class IngestServer(ImportIngestServiceServicer):
    """Server that leases its imports in order. Each IngestRows call takes one entry from each list of faults.

    cut_code, cut_revokes_token: status of a stream that is cut; a cut also makes the token invalid.
    cut_before, cut_after: end the stream before or after this batch (counted from 1) is committed, without a response.
    reject_open_with: end the stream with this status before the first response.
    lose_at: give the lease to another worker before this batch.
    silent_at: send no response from this batch on, until the call is cancelled.
    """

    def __init__(self, *imports: StoredImport) -> None:
        self.imports = {stored.id: stored for stored in imports}
        self.cut_before: list[int] = []
        self.cut_after: list[int] = []
        self.cut_code = grpc.StatusCode.UNAVAILABLE
        self.cut_revokes_token = False
        self.reject_open_with: list[grpc.StatusCode] = []
        self.lose_at: list[int] = []
        self.silent_at: list[int] = []
        self.has_pending = False
        self.has_committed = threading.Event()
        self.streams_opened = 0
        self.read_offsets: list[int] = []
        self.short_reads: list[int] = []
        self.tokens = TokenIssuer()  # type: ignore[abstract]  # the other methods are not called
        self.claimed_by: list[str] = []
        self.request_ids: set[str] = set()
        self._open_calls = 0
        self._call_ended = threading.Condition()

    def ClaimNextImport(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._check_metadata(context)
        self.claimed_by.append(request.worker)
        for stored in self.imports.values():
            if stored.state == "queued":
                stored.state = "running"
                stored.fence += 1
                dialect = pb.Dialect(delimiter=",", columns=stored.columns)
                lease = pb.Lease(
                    import_id=stored.id,
                    fence=stored.fence,
                    dialect=dialect,
                    checkpoint=stored.checkpoint,
                    size=stored.size,
                    request_id=stored.request_id,
                )
                return pb.ClaimNextImportResponse(lease=lease)
        return pb.ClaimNextImportResponse()

    def ReadUpload(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        self._check_metadata(context)
        stored = self._leased(request, context)
        self.read_offsets.append(request.offset)
        max_bytes = self.short_reads.pop(0) if self.short_reads else None
        position = len(HEADER)
        sent = 0
        with self._count_call():
            for chunk in stored.chunks:
                begin = max(0, request.offset - position)
                position += len(chunk)
                for index in range(begin, len(chunk), 64 * 1024):
                    part = chunk[index : index + 64 * 1024]
                    if max_bytes is not None and sent + len(part) >= max_bytes:
                        yield pb.ReadUploadResponse(chunk=part[: max_bytes - sent])
                        return
                    sent += len(part)
                    yield pb.ReadUploadResponse(chunk=part)

    def IngestRows(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        self._check_metadata(context)
        self.streams_opened += 1
        faults = {
            name: planned.pop(0) if planned else 0
            for name, planned in (
                ("before", self.cut_before),
                ("after", self.cut_after),
                ("lose", self.lose_at),
                ("silent", self.silent_at),
            )
        }
        with self._count_call():
            stored = self._leased(next(request_iterator).open, context)
            fence = stored.fence
            if self.reject_open_with:
                self._end_stream(context, self.reject_open_with.pop())
                return
            yield pb.IngestRowsResponse(checkpoint=stored.checkpoint, has_pending=self.has_pending)
            for number, request in enumerate(request_iterator, start=1):
                if number == faults["lose"]:
                    stored.fence += 1
                if stored.fence != fence:
                    self._lease_lost(context)
                if faults["silent"] and number >= faults["silent"]:
                    continue
                if request.WhichOneof("message") == "finish":
                    stored.finish(request.finish)
                    yield pb.IngestRowsResponse(checkpoint=stored.checkpoint, finished=True)
                    return
                if number == faults["before"]:
                    self._cut(context)
                    return
                if request.batch.begin != stored.checkpoint:
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not at the checkpoint")
                stored.commit(request.batch)
                self.has_committed.set()
                if number == faults["after"]:
                    self._cut(context)
                    return
                yield pb.IngestRowsResponse(checkpoint=stored.checkpoint, has_pending=self.has_pending)

    def wait_until_idle(self) -> bool:
        """Wait until no call is open."""
        with self._call_ended:
            return self._call_ended.wait_for(lambda: self._open_calls == 0, timeout=20)

    @contextmanager
    def _count_call(self) -> Iterator[None]:
        with self._call_ended:
            self._open_calls += 1
        try:
            yield
        finally:
            with self._call_ended:
                self._open_calls -= 1
                self._call_ended.notify_all()

    def _cut(self, context: grpc.ServicerContext) -> None:
        if self.cut_revokes_token:
            self.tokens.revoke()
        self._end_stream(context, self.cut_code)

    def _end_stream(self, context: grpc.ServicerContext, code: grpc.StatusCode) -> None:
        if code is not grpc.StatusCode.OK:  # a server that drains ends the stream without an error
            context.abort(code, "ended by the test")

    def _check_metadata(self, context: grpc.ServicerContext) -> None:
        metadata = dict(context.invocation_metadata())
        self.request_ids.add(str(metadata.get("x-request-id", "")))
        if not self.tokens.valid or metadata.get("authorization") != f"Bearer {self.tokens.valid}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "invalid token")

    def _leased(self, request: Any, context: grpc.ServicerContext) -> StoredImport:
        stored = self.imports[request.import_id]
        if request.fence != stored.fence:
            self._lease_lost(context)
        return stored

    def _lease_lost(self, context: grpc.ServicerContext) -> None:
        status = RichStatus(grpc.StatusCode.FAILED_PRECONDITION, "another worker holds the lease", "LEASE_LOST")
        context.set_trailing_metadata(((DETAILS_KEY, status.pack()),))
        context.abort(status.code, status.message)


@contextmanager
def serving(servicer: IngestServer) -> Iterator[str]:
    """Serve on a free port, and yield the target."""
    server = grpc.server(ThreadPoolExecutor(max_workers=16), options=[("grpc.so_reuseport", 0)])
    add_ImportIngestServiceServicer_to_server(servicer, server)
    add_AuthServiceServicer_to_server(servicer.tokens, server)
    add_HealthServicer_to_server(HealthServicer(), server)  # the channels of the system look at it
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()
