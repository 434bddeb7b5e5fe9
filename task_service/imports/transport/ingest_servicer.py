"""ImportIngestService on the wire."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from uuid import UUID

from taskmanager.imports.v1 import import_ingest_service_pb2 as pb
from taskmanager.imports.v1 import import_ingest_service_pb2_grpc

from chassis.kernel.ids import parse_id
from chassis.rpc.interceptor import Context
from task_service.imports.domain.errors import IngestOutOfOrder
from task_service.imports.domain.imports import Failure, IngestContext, RecordLimits, parse_failure
from task_service.imports.transport.prefetcher import OneAhead
from task_service.imports.transport.translate import FAILURE_OF, batch_from_proto, checkpoint_to_proto, lease_to_proto
from task_service.imports.usecases.ingest import (
    ClaimNextImport,
    FinishIngest,
    GiveBack,
    IngestBatch,
    OpenIngest,
    PrepareBatch,
    ReadUpload,
)
from task_service.imports.usecases.ports import PreparedBatch

Requests = AsyncIterator[pb.IngestRowsRequest]


class IngestServicer(import_ingest_service_pb2_grpc.ImportIngestServiceServicer):
    """Imports, as workers work on them."""

    def __init__(
        self,
        *,
        claim_next_import: ClaimNextImport,
        read_upload: ReadUpload,
        open_ingest: OpenIngest,
        prepare_batch: PrepareBatch,
        ingest_batch: IngestBatch,
        finish_ingest: FinishIngest,
        give_back: GiveBack,
        limits: RecordLimits,
        draining: asyncio.Event,
    ) -> None:
        self._claim_next_import = claim_next_import
        self._read_upload = read_upload
        self._open_ingest = open_ingest
        self._prepare_batch = prepare_batch
        self._ingest_batch = ingest_batch
        self._finish_ingest = finish_ingest
        self._give_back = give_back
        self._limits = limits
        self._draining = draining

    async def ClaimNextImport(self, request: pb.ClaimNextImportRequest, context: Context) -> pb.ClaimNextImportResponse:
        lease = await self._claim_next_import(request.worker)
        return pb.ClaimNextImportResponse(lease=lease_to_proto(lease, self._limits) if lease else None)

    async def ReadUpload(self, request: pb.ReadUploadRequest, context: Context) -> AsyncIterator[pb.ReadUploadResponse]:
        import_id = parse_id(request.import_id, field="import_id")
        async for chunk in self._read_upload(import_id, request.fence, request.offset):
            yield pb.ReadUploadResponse(chunk=chunk)

    async def IngestRows(self, request_iterator: Requests, context: Context) -> AsyncIterator[pb.IngestRowsResponse]:
        import_id, fence = await _opened(request_iterator)
        checkpoint, rows = await self._open_ingest(import_id, fence)
        yield pb.IngestRowsResponse(checkpoint=checkpoint_to_proto(checkpoint))
        async with aclosing(OneAhead(self._steps(request_iterator, rows, fence))) as steps:
            async for step in steps:
                if isinstance(step, pb.IngestFinish):
                    await self._finish(import_id, fence, step)
                    yield pb.IngestRowsResponse(checkpoint=checkpoint_to_proto(checkpoint), finished=True)
                    return
                progress = await self._ingest_batch(rows, fence, step, steps.begin_next)
                checkpoint = progress.checkpoint
                yield pb.IngestRowsResponse(
                    checkpoint=checkpoint_to_proto(checkpoint),
                    others_wait=progress.others_wait,
                    finished=progress.finished,
                )
                if (
                    progress.finished or self._draining.is_set()
                ):  # the worker opens another stream, on a server that stays
                    return

    async def _steps(
        self, requests: Requests, rows: IngestContext, fence: int
    ) -> AsyncGenerator[PreparedBatch | pb.IngestFinish]:
        """What the worker says, batches prepared; nothing is read behind finish."""
        async for request in requests:
            match request.WhichOneof("message"):
                case "batch":
                    yield await self._prepare_batch(rows, fence, batch_from_proto(request.batch, rows))
                case "finish":
                    yield request.finish
                    return
                case _:
                    raise IngestOutOfOrder

    async def _finish(self, import_id: UUID, fence: int, finish: pb.IngestFinish) -> None:
        match finish.WhichOneof("reason"):
            case "end_of_file":
                await self._finish_ingest(import_id, fence, None)
            case "give_back":
                await self._give_back(import_id, fence)
            case "failure":
                await self._finish_ingest(import_id, fence, _failure(finish.failure))
            case _:
                raise IngestOutOfOrder


async def _opened(requests: Requests) -> tuple[UUID, int]:
    first = await anext(aiter(requests), None)
    if first is None or first.WhichOneof("message") != "open":
        raise IngestOutOfOrder
    return parse_id(first.open.import_id, field="import_id"), first.open.fence


def _failure(failure: pb.ParseFailure) -> Failure:
    return parse_failure(FAILURE_OF.get(failure.code, ""), failure.line)
