"""Endpoint of the CSV upload, which http rules cannot express. It never holds the whole file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

import structlog
from grpc import aio
from taskmanager.imports.v1 import import_service_pb2 as pb

from chassis.tracing.spans import trace_metadata
from gateway.clients.end_call import end_call
from gateway.transcoding.http.header_fields import IDEMPOTENCY_KEY
from gateway.transcoding.http.query_binder import QueryBinder
from gateway.transcoding.http.upload_form import FILE_PART
from gateway.transcoding.json_codec.encoder import Encode, to_json
from gateway.transcoding.violations import Violations
from gateway.transport.asgi import Send
from gateway.transport.errors import http_errors
from gateway.transport.errors.grpc_errors import http_error_from
from gateway.transport.request.authorization import CallAuthorizer
from gateway.transport.request.http_request import HttpRequest
from gateway.transport.request.preconditions import Preconditions
from gateway.transport.responses.replay import replay_header
from gateway.transport.responses.send import location_header, send_response
from gateway.transport.upload.body import UploadBodyReader
from gateway.transport.upload.sender import CallEnded, UploadCall, UploadSender

UPLOAD_RPCS = frozenset(f"taskmanager.imports.v1.ImportService.{name}" for name in ("UploadImport", "InspectImport"))
"""The rpcs that take the messages of an upload."""
UPLOAD_OPTIONS = pb.UploadOptions.DESCRIPTOR
# The idempotency key is only a header: access logs would record it as part of the URL.
OPTION_NAMES = frozenset(field.name for field in UPLOAD_OPTIONS.fields) - {IDEMPOTENCY_KEY}

log = structlog.get_logger("upload")


class UploadEndpoint:
    """Endpoint of the bindings of UPLOAD_RPCS. Query parameters and parts of a form fill the fields of UploadOptions.

    UploadFinish is sent only after the client's body has ended as announced. If the client disconnects or the gateway
    is killed, the stream ends without it, and the service discards the upload.
    """

    def __init__(
        self,
        *,
        call: aio.StreamUnaryMultiCallable[Any, Any],
        authorizer: CallAuthorizer,
        encode: Encode,
        success_status: int,
        location_prefix: str | None,
        max_bytes: int,
        body_reader: UploadBodyReader,
        response_timeout_seconds: float,
        preconditions: Preconditions,
    ) -> None:
        self._call = call
        self._authorizer = authorizer
        self._encode = encode
        self._success_status = success_status
        self._location_prefix = location_prefix
        self._max_bytes = max_bytes
        self._response_timeout_seconds = response_timeout_seconds
        self._preconditions = preconditions
        self._body_reader = body_reader
        self._query = QueryBinder(field for field in UPLOAD_OPTIONS.fields if field.name in OPTION_NAMES)

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:
        options = self._options(http_request.query)
        self._preconditions.apply(options, http_request)
        # The call starts only when there is a file.
        file = await self._body_reader.open_file(http_request)
        if file.options:
            options = self._options(b"&".join(filter(None, (http_request.query, file.options))))
            self._preconditions.apply(options, http_request)
        options.file_name = options.file_name or file.name
        options.encoding = options.encoding or file.encoding
        async with aclosing(file.chunks) as chunks, self._authorizer.authorize(http_request) as metadata:
            call = self._call(metadata=(*metadata, *trace_metadata()))
            response = await self._upload(call, options, chunks)
        headers = [*location_header(self._location_prefix, response), *await replay_header(call)]
        await send_response(send, self._success_status, to_json(self._encode(response)), headers=headers)

    def _options(self, query: bytes) -> pb.UploadOptions:
        violations = Violations()
        fields = self._query.fields(query, violations)
        violations.raise_if_any()
        return pb.UploadOptions(**fields)

    async def _upload(self, call: UploadCall, options: pb.UploadOptions, chunks: AsyncIterator[bytes]) -> Any:
        """Send the file and return the response.

        Raises:
            ClientDisconnected: the connection closed before the body ended.
            HttpError: the body is invalid, the call failed, or the service responded too late or too early.

        """
        sender = UploadSender(call, max_bytes=self._max_bytes)
        sending = asyncio.ensure_future(sender.send(options, chunks))

        def stop_sending(_: object) -> None:
            # If a write fails after the status of the service has arrived, gRPC replaces the status with INTERNAL
            # (https://github.com/grpc/grpc/issues/36066). It calls this function before that, and a cancelled write
            # leaves the status as it is. If the write fails first, the status replaces INTERNAL.
            sending.cancel()

        call.add_done_callback(stop_sending)
        responding = asyncio.ensure_future(_response_of(call))
        try:
            # A response can come before the end of the body: a service that rejects the header line of a gigabyte must
            # not receive the rest.
            await asyncio.wait({sending, responding}, return_when=asyncio.FIRST_COMPLETED)
            if not responding.done():
                await self._wait_for_response(sending, responding)
            response = responding.result()
        except aio.AioRpcError as error:
            raise http_error_from(error, _client_field_path) from error
        finally:
            await end_call(call, sending, responding)
        if not sender.has_sent_all:
            log.error("the service accepted an unfinished upload")
            raise http_errors.internal_error()
        return response

    async def _wait_for_response(self, sending: asyncio.Future[None], responding: asyncio.Future[Any]) -> None:
        """Raise the error of a failed transfer; otherwise wait for the response with a timeout.

        `sending` is done. It is cancelled or has failed with CallEnded if the service has ended the call.
        """
        with suppress(CallEnded, asyncio.CancelledError):
            sending.result()
        _, pending = await asyncio.wait({responding}, timeout=self._response_timeout_seconds)
        if pending:
            raise http_errors.upstream_timeout()


async def _response_of(call: UploadCall) -> Any:
    return await call


def _client_field_path(field: str) -> str | None:
    """Return the name of the query parameter, or of the part of the form, for a field path of the request message."""
    return FILE_PART if field == "chunk" else field.removeprefix("options.") or None
