"""Servicer of taskmanager.imports.v1.ImportService."""

from collections.abc import AsyncIterator

from google.api import httpbody_pb2
from taskmanager.imports.v1 import import_pb2, import_service_pb2, import_service_pb2_grpc

from chassis.kernel.ids import parse_id
from chassis.kernel.pagination import PageRequest
from chassis.rpc.interceptor import Context
from chassis.rpc.pagination import fit_to_message_size
from chassis.rpc.proto_fields import optional_id
from chassis.rpc.request_context import current_caller
from task_service.access import owner_filter
from task_service.csv_dialect.delimiter import DEFAULT_DELIMITER, parse_delimiter
from task_service.csv_dialect.http_bodies import csv_bodies
from task_service.idempotency.key_from_proto import idempotency_key_from_proto
from task_service.imports.domain.errors import UploadIncomplete, UploadOutOfOrder
from task_service.imports.transport.idle_timeout import with_idle_timeout
from task_service.imports.transport.inspection import inspection_to_proto
from task_service.imports.transport.translate import (
    import_to_proto,
    row_error_to_proto,
    undo_conflict_to_proto,
)
from task_service.imports.transport.upload_options import source_to_proto, upload_options_from_proto
from task_service.imports.usecases.incoming_file import Finish
from task_service.imports.usecases.upload_request import UploadRequest
from task_service.imports.usecases.use_cases import ImportsUseCases

Requests = AsyncIterator[import_service_pb2.UploadImportRequest]


class ImportServicer(import_service_pb2_grpc.ImportServiceServicer):
    def __init__(self, use_cases: ImportsUseCases, *, idle_timeout_seconds: float) -> None:
        self._use_cases = use_cases
        self._idle_timeout_seconds = idle_timeout_seconds

    async def UploadImport(self, request_iterator: Requests, context: Context) -> import_pb2.Import:
        requests = with_idle_timeout(request_iterator, timeout_seconds=self._idle_timeout_seconds)
        upload = await _read_upload_request(requests)
        return import_to_proto(await self._use_cases.upload_import(current_caller(), upload, _file_parts(requests)))

    async def InspectImport(
        self, request_iterator: Requests, context: Context
    ) -> import_service_pb2.InspectImportResponse:
        requests = with_idle_timeout(request_iterator, timeout_seconds=self._idle_timeout_seconds)
        upload = await _read_upload_request(requests)
        found = await self._use_cases.inspect_import(current_caller(), upload, _file_parts(requests))
        return inspection_to_proto(found)

    async def ListImportSources(
        self, request: import_service_pb2.ListImportSourcesRequest, context: Context
    ) -> import_service_pb2.ListImportSourcesResponse:
        sources = map(source_to_proto, self._use_cases.list_import_sources())
        return import_service_pb2.ListImportSourcesResponse(sources=sources)

    async def GetImport(self, request: import_service_pb2.GetImportRequest, context: Context) -> import_pb2.Import:
        return import_to_proto(await self._use_cases.get_import(current_caller(), parse_id(request.id, field="id")))

    async def ListImports(
        self, request: import_service_pb2.ListImportsRequest, context: Context
    ) -> import_service_pb2.ListImportsResponse:
        caller = current_caller()
        owner = owner_filter(caller, request.owner_id)
        page_request = PageRequest.parse(request.page_size, request.page_token, query=f"imports {caller.id} {owner}")
        page = await self._use_cases.list_imports(owner, page_request)
        response = import_service_pb2.ListImportsResponse(imports=map(import_to_proto, page.items))
        return fit_to_message_size(response, response.imports, page)

    async def WatchImport(
        self, request: import_service_pb2.WatchImportRequest, context: Context
    ) -> AsyncIterator[import_pb2.Import]:
        async for found in self._use_cases.watch_import(current_caller(), parse_id(request.id, field="id")):
            yield import_to_proto(found)

    async def ListImportErrors(
        self, request: import_service_pb2.ListImportErrorsRequest, context: Context
    ) -> import_service_pb2.ListImportErrorsResponse:
        caller = current_caller()
        import_id = parse_id(request.import_id, field="import_id")
        page_request = PageRequest.parse(request.page_size, request.page_token, query=f"errors {caller.id} {import_id}")
        page = await self._use_cases.list_import_errors(caller, import_id, page_request)
        response = import_service_pb2.ListImportErrorsResponse(errors=map(row_error_to_proto, page.items))
        return fit_to_message_size(response, response.errors, page)

    async def DownloadImportErrors(
        self, request: import_service_pb2.DownloadImportErrorsRequest, context: Context
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        import_id = parse_id(request.import_id, field="import_id")
        delimiter = parse_delimiter(request.delimiter) or DEFAULT_DELIMITER
        texts = self._use_cases.download_import_errors(current_caller(), import_id, delimiter)
        async for body in csv_bodies(texts, bom=request.bom):
            yield body

    async def DownloadImportTemplate(
        self, request: import_service_pb2.DownloadImportTemplateRequest, context: Context
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        delimiter = parse_delimiter(request.delimiter) or DEFAULT_DELIMITER
        async for body in csv_bodies(self._use_cases.download_import_template(delimiter), bom=request.bom):
            yield body

    async def CancelImport(
        self, request: import_service_pb2.CancelImportRequest, context: Context
    ) -> import_pb2.Import:
        import_id, key = parse_id(request.id, field="id"), idempotency_key_from_proto(request)
        return import_to_proto(await self._use_cases.cancel_import(current_caller(), import_id, key))

    async def UndoImport(self, request: import_service_pb2.UndoImportRequest, context: Context) -> import_pb2.Import:
        import_id, key = parse_id(request.id, field="id"), idempotency_key_from_proto(request)
        return import_to_proto(await self._use_cases.undo_import(current_caller(), import_id, key))

    async def ListUndoConflicts(
        self, request: import_service_pb2.ListUndoConflictsRequest, context: Context
    ) -> import_service_pb2.ListUndoConflictsResponse:
        caller = current_caller()
        import_id = parse_id(request.import_id, field="import_id")
        page_request = PageRequest.parse(
            request.page_size, request.page_token, query=f"undo conflicts {caller.id} {import_id}"
        )
        page = await self._use_cases.list_undo_conflicts(caller, import_id, page_request)
        response = import_service_pb2.ListUndoConflictsResponse(conflicts=map(undo_conflict_to_proto, page.items))
        return fit_to_message_size(response, response.conflicts, page)


async def _read_upload_request(requests: Requests) -> UploadRequest:
    """Return the request in the first message. Raises UploadOutOfOrder for a message without options."""
    first = await anext(aiter(requests), None)
    if first is None:
        raise UploadIncomplete
    if first.WhichOneof("message") != "options":
        raise UploadOutOfOrder
    message = first.options
    return UploadRequest(
        file_name=message.file_name,
        owner_id=optional_id(message.owner_id, field="owner_id"),
        options=upload_options_from_proto(message),
        options_from=optional_id(message.options_from, field="options_from"),
        key=idempotency_key_from_proto(message),
    )


async def _file_parts(requests: Requests) -> AsyncIterator[bytes | Finish]:
    """Yield the chunks and the finish. Raises UploadOutOfOrder for another message."""
    async for request in requests:
        match request.WhichOneof("message"):
            case "chunk":
                yield request.chunk
            case "finish":
                yield Finish(request.finish.size)
            case _:
                raise UploadOutOfOrder
