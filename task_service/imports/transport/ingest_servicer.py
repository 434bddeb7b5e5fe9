"""Servicer of taskmanager.imports.v1.ImportIngestService, which only import workers call."""

from collections.abc import AsyncIterator
from uuid import UUID

from taskmanager.imports.v1 import import_ingest_service_pb2 as pb
from taskmanager.imports.v1 import import_ingest_service_pb2_grpc

from chassis.kernel.ids import parse_id
from chassis.rpc.interceptor import Context
from task_service.imports.domain.errors import IngestOutOfOrder
from task_service.imports.domain.imports import RecordLimits
from task_service.imports.transport.translate import ingest_message_from_proto, lease_to_proto, progress_to_proto
from task_service.imports.usecases.use_cases import ImportsUseCases

Requests = AsyncIterator[pb.IngestRowsRequest]


class IngestServicer(import_ingest_service_pb2_grpc.ImportIngestServiceServicer):
    def __init__(self, use_cases: ImportsUseCases, *, limits: RecordLimits) -> None:
        self._use_cases = use_cases
        self._limits = limits

    async def ClaimNextImport(self, request: pb.ClaimNextImportRequest, context: Context) -> pb.ClaimNextImportResponse:
        lease = await self._use_cases.claim_next_import(request.worker)
        return pb.ClaimNextImportResponse(lease=lease_to_proto(lease, self._limits) if lease else None)

    async def ReadUpload(self, request: pb.ReadUploadRequest, context: Context) -> AsyncIterator[pb.ReadUploadResponse]:
        import_id = parse_id(request.import_id, field="import_id")
        async for chunk in self._use_cases.read_upload(import_id, request.fence, request.offset):
            yield pb.ReadUploadResponse(chunk=chunk)

    async def IngestRows(self, request_iterator: Requests, context: Context) -> AsyncIterator[pb.IngestRowsResponse]:
        import_id, fence = await _read_open(request_iterator)
        messages = (ingest_message_from_proto(request) async for request in request_iterator)
        async for progress in self._use_cases.ingest_rows(import_id, fence, messages):
            yield progress_to_proto(progress)


async def _read_open(requests: Requests) -> tuple[UUID, int]:
    """Return the import and the fence of the first message. Raises IngestOutOfOrder for another message."""
    first = await anext(aiter(requests), None)
    if first is None or first.WhichOneof("message") != "open":
        raise IngestOutOfOrder
    return parse_id(first.open.import_id, field="import_id"), first.open.fence
