"""gRPC client of task_service's ImportIngestService."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from grpc import aio
from taskmanager.imports.v1 import import_ingest_service_pb2 as pb
from taskmanager.imports.v1.import_ingest_service_pb2_grpc import ImportIngestServiceStub

from chassis.rpc.request_context import REQUEST_ID_KEY
from chassis.rpc.service_token import Metadata, TokenSource
from chassis.tracing.spans import begin_span
from import_worker.clients.prefetch import prefetch
from import_worker.clients.status import translate_error
from import_worker.clients.tracing import MessageSpans, describe_lease
from import_worker.clients.translate import (
    batch_to_proto,
    finish_to_proto,
    lease_from_proto,
    open_to_proto,
    progress_from_proto,
)
from import_worker.domain.batch import Batch, FinishReason
from import_worker.domain.errors import ConnectionLost, UnreadableFile
from import_worker.domain.lease import Lease, Progress

# Messages that are read ahead, so that parsing does not wait for the network. Chunks are large and responses small.
_MAX_CHUNKS_AHEAD = 4
_MAX_RESPONSES_AHEAD = 64
# After the last message the server ends the call itself. After this long it is cancelled.
_CLOSE_TIMEOUT_SECONDS = 1.0

Response = TypeVar("Response", bound=Message)


class GrpcIngestClient:
    """Client of ImportIngestService. A call without a message for `read_timeout_seconds` counts as lost."""

    def __init__(
        self, channel: aio.Channel, *, token: TokenSource, worker_name: str, read_timeout_seconds: float
    ) -> None:
        self._stub = ImportIngestServiceStub(channel)
        self._token = token
        self._worker_name = worker_name
        self._read_timeout_seconds = read_timeout_seconds

    async def claim(self) -> Lease | None:
        started_ns = time.time_ns()
        request = pb.ClaimNextImportRequest(worker=self._worker_name)
        async with self._authorized_call() as metadata:
            response = await self._stub.ClaimNextImport(request, metadata=metadata, timeout=self._read_timeout_seconds)
        if not response.HasField("lease"):
            return None
        lease = lease_from_proto(response.lease)
        # The trace is known only now.
        begin_span("claim import", describe_lease(lease), traceparent=lease.traceparent, start_time_ns=started_ns).end()
        return lease

    @asynccontextmanager
    async def read_upload(self, lease: Lease, offset: int) -> AsyncIterator[AsyncIterator[bytes]]:
        async with aclosing(self._read_chunks(lease, offset)) as chunks:
            yield chunks

    async def _read_chunks(self, lease: Lease, offset: int) -> AsyncGenerator[bytes]:
        """Yield the file from an offset to its end.

        A response that ends too early is requested again from there. The file counts as cut short, which fails the
        import, only if a response is empty.
        """
        has_arrived = True
        while has_arrived and offset < lease.size:
            has_arrived = False
            request = pb.ReadUploadRequest(import_id=lease.import_id, fence=lease.fence, offset=offset)
            async with self._authorized_call(lease) as metadata:
                call = self._stub.ReadUpload(request, metadata=metadata)
                try:
                    async with prefetch(call, max_items=_MAX_CHUNKS_AHEAD) as responses:
                        while response := await self._next(responses):
                            has_arrived = has_arrived or len(response.chunk) > 0
                            offset += len(response.chunk)
                            yield response.chunk
                except aio.AioRpcError as error:
                    # The offset is beyond the end of the file: the same as an empty response.
                    if error.code() is not grpc.StatusCode.OUT_OF_RANGE:
                        raise
                finally:
                    call.cancel()

    @asynccontextmanager
    async def open_stream(self, lease: Lease) -> AsyncIterator["GrpcIngestStream"]:
        requests: asyncio.Queue[pb.IngestRowsRequest | None] = asyncio.Queue()
        requests.put_nowait(open_to_proto(lease))
        spans = MessageSpans(lease)
        spans.begin("open stream")
        async with self._authorized_call(lease) as metadata:
            call = self._stub.IngestRows(_drain(requests), metadata=metadata)
            try:
                async with prefetch(call, max_items=_MAX_RESPONSES_AHEAD) as responses:
                    yield GrpcIngestStream(requests, lambda: self._next(responses), spans)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_CLOSE_TIMEOUT_SECONDS):
                            await call.code()
            finally:
                spans.close()
                requests.put_nowait(None)  # cancelling a call that has ended does not end the iterator of its requests
                call.cancel()

    @asynccontextmanager
    async def _authorized_call(self, lease: Lease | None = None) -> AsyncIterator[Metadata]:
        """Yield the metadata of one call, and translate the errors of the call.

        A call for a lease has the request id of the upload.
        """
        request_id = [(REQUEST_ID_KEY, lease.request_id)] if lease and lease.request_id else []
        try:
            async with self._token.authorize() as metadata:
                yield (*metadata, *request_id)
        except aio.AioRpcError as error:
            raise translate_error(error) from error

    async def _next(self, messages: AsyncIterator[Response]) -> Response | None:
        """Return the next message; None at the end of the stream."""
        try:
            async with asyncio.timeout(self._read_timeout_seconds):
                return await anext(messages, None)
        except TimeoutError:
            raise ConnectionLost(cause=f"no message for {self._read_timeout_seconds:g} s") from None


class GrpcIngestStream:
    """Open IngestRows call."""

    def __init__(
        self,
        requests: asyncio.Queue[pb.IngestRowsRequest | None],
        read: Callable[[], Awaitable[pb.IngestRowsResponse | None]],
        spans: MessageSpans,
    ) -> None:
        self._requests = requests
        self._read = read
        self._spans = spans

    async def send(self, batch: Batch) -> None:
        self._spans.begin_batch(batch)
        self._requests.put_nowait(batch_to_proto(batch))
        # gRPC starts to write the message here. Otherwise it waits until the next batch is parsed.
        await asyncio.sleep(0)

    async def finish(self, reason: FinishReason | UnreadableFile) -> None:
        self._spans.begin("finish import")
        self._requests.put_nowait(finish_to_proto(reason))
        self._requests.put_nowait(None)

    async def receive(self) -> Progress:
        response = await self._read()
        if response is None:
            raise ConnectionLost(cause="the stream ended before finish was acknowledged")
        self._spans.end_first()
        return progress_from_proto(response)


async def _drain(requests: asyncio.Queue[pb.IngestRowsRequest | None]) -> AsyncIterator[pb.IngestRowsRequest]:
    """Yield what is put into the queue, up to None."""
    while (request := await requests.get()) is not None:
        yield request
