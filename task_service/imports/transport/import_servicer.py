"""ImportService on the wire."""

from collections.abc import AsyncIterator

from google.api import httpbody_pb2
from taskmanager.imports.v1 import import_pb2, import_service_pb2, import_service_pb2_grpc

from chassis.kernel.ids import parse_id
from chassis.kernel.pagination import PageRequest
from chassis.rpc.interceptor import Context
from chassis.rpc.pagination import fit_to_message_size
from chassis.rpc.request_context import current_caller
from task_service.access import owner_filter
from task_service.csv_dialect.http_bodies import csv_bodies
from task_service.imports.domain.errors import UploadIncomplete, UploadOutOfOrder
from task_service.imports.transport.idle_timeout import while_they_come
from task_service.imports.transport.translate import (
    import_to_proto,
    kept_task_to_proto,
    row_error_to_proto,
    upload_options_from_proto,
)
from task_service.imports.usecases.imports import (
    CancelImport,
    DownloadImportErrors,
    DownloadImportTemplate,
    GetImport,
    ListImportErrors,
    ListImports,
    WatchImport,
)
from task_service.imports.usecases.undo import ListUndoConflicts, UndoImport
from task_service.imports.usecases.uploads import Finish, UploadImport, UploadRequest
from task_service.proto_fields import optional_id
from task_service.tasks.transport.translate import once_from_proto

Requests = AsyncIterator[import_service_pb2.UploadImportRequest]


class ImportServicer(import_service_pb2_grpc.ImportServiceServicer):
    """Imports, as their owners see them."""

    def __init__(
        self,
        *,
        upload_import: UploadImport,
        get_import: GetImport,
        list_imports: ListImports,
        watch_import: WatchImport,
        list_import_errors: ListImportErrors,
        download_import_errors: DownloadImportErrors,
        download_import_template: DownloadImportTemplate,
        cancel_import: CancelImport,
        undo_import: UndoImport,
        list_undo_conflicts: ListUndoConflicts,
        idle_seconds: float,
    ) -> None:
        self._idle_seconds = idle_seconds
        self._upload_import = upload_import
        self._get_import = get_import
        self._list_imports = list_imports
        self._watch_import = watch_import
        self._list_import_errors = list_import_errors
        self._download_import_errors = download_import_errors
        self._download_import_template = download_import_template
        self._cancel_import = cancel_import
        self._undo_import = undo_import
        self._list_kept_tasks = list_undo_conflicts

    async def UploadImport(self, request_iterator: Requests, context: Context) -> import_pb2.Import:
        requests = while_they_come(request_iterator, idle_seconds=self._idle_seconds)
        options = await _options(requests)
        return import_to_proto(await self._upload_import(current_caller(), options, _parts(requests)))

    async def GetImport(self, request: import_service_pb2.GetImportRequest, context: Context) -> import_pb2.Import:
        return import_to_proto(await self._get_import(current_caller(), parse_id(request.id, field="id")))

    async def ListImports(
        self, request: import_service_pb2.ListImportsRequest, context: Context
    ) -> import_service_pb2.ListImportsResponse:
        caller = current_caller()
        owner = owner_filter(caller, request.owner_id)
        wanted = PageRequest.parse(request.page_size, request.page_token, query=f"imports {caller.id} {owner}")
        page = await self._list_imports(owner, wanted)
        imports, next_token = fit_to_message_size(page, import_to_proto)
        return import_service_pb2.ListImportsResponse(imports=imports, next_page_token=next_token)

    async def WatchImport(
        self, request: import_service_pb2.WatchImportRequest, context: Context
    ) -> AsyncIterator[import_pb2.Import]:
        async for found in self._watch_import(current_caller(), parse_id(request.id, field="id")):
            yield import_to_proto(found)

    async def ListImportErrors(
        self, request: import_service_pb2.ListImportErrorsRequest, context: Context
    ) -> import_service_pb2.ListImportErrorsResponse:
        caller = current_caller()
        import_id = parse_id(request.import_id, field="import_id")
        wanted = PageRequest.parse(request.page_size, request.page_token, query=f"errors {caller.id} {import_id}")
        page = await self._list_import_errors(caller, import_id, wanted)
        errors, next_token = fit_to_message_size(page, row_error_to_proto)
        return import_service_pb2.ListImportErrorsResponse(errors=errors, next_page_token=next_token)

    async def DownloadImportErrors(
        self, request: import_service_pb2.DownloadImportErrorsRequest, context: Context
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        import_id = parse_id(request.import_id, field="import_id")
        async for body in csv_bodies(self._download_import_errors(current_caller(), import_id)):
            yield body

    async def DownloadImportTemplate(
        self, request: import_service_pb2.DownloadImportTemplateRequest, context: Context
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        async for body in csv_bodies(self._download_import_template()):
            yield body

    async def CancelImport(
        self, request: import_service_pb2.CancelImportRequest, context: Context
    ) -> import_pb2.Import:
        import_id, once = parse_id(request.id, field="id"), once_from_proto(request)
        return import_to_proto(await self._cancel_import(current_caller(), import_id, once))

    async def UndoImport(self, request: import_service_pb2.UndoImportRequest, context: Context) -> import_pb2.Import:
        import_id, once = parse_id(request.id, field="id"), once_from_proto(request)
        return import_to_proto(await self._undo_import(current_caller(), import_id, once))

    async def ListUndoConflicts(
        self, request: import_service_pb2.ListUndoConflictsRequest, context: Context
    ) -> import_service_pb2.ListUndoConflictsResponse:
        caller = current_caller()
        import_id = parse_id(request.import_id, field="import_id")
        wanted = PageRequest.parse(request.page_size, request.page_token, query=f"kept {caller.id} {import_id}")
        page = await self._list_kept_tasks(caller, import_id, wanted)
        kept, next_token = fit_to_message_size(page, kept_task_to_proto)
        return import_service_pb2.ListUndoConflictsResponse(conflicts=kept, next_page_token=next_token)


async def _options(requests: Requests) -> UploadRequest:
    """The first message. UploadOutOfOrder when it is anything but options."""
    first = await anext(aiter(requests), None)
    if first is None:
        raise UploadIncomplete
    if first.WhichOneof("message") != "options":
        raise UploadOutOfOrder
    owner_id = optional_id(first.options.owner_id, field="owner_id")
    options = upload_options_from_proto(first.options)
    return UploadRequest(first.options.file_name, owner_id, options, once_from_proto(first.options))


async def _parts(requests: Requests) -> AsyncIterator[bytes | Finish]:
    """The messages behind it. UploadOutOfOrder for anything but chunks and a finish."""
    async for request in requests:
        match request.WhichOneof("message"):
            case "chunk":
                yield request.chunk
            case "finish":
                yield Finish(request.finish.size)
            case _:
                raise UploadOutOfOrder
