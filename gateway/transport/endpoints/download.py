"""Endpoint of rpcs that return a file, as a stream of google.api.HttpBody. It never holds the whole file."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from google.api import httpbody_pb2
from grpc import aio

from chassis.tracing.spans import trace_metadata
from gateway.clients.end_call import end_call
from gateway.transcoding.http.request_binder import RequestBinder
from gateway.transport.asgi import Message, Send
from gateway.transport.errors.grpc_errors import http_error_from
from gateway.transport.request.authorization import CallAuthorizer
from gateway.transport.request.disconnect import ClientDisconnected
from gateway.transport.request.http_request import HttpRequest
from gateway.transport.responses.send import body_part, response_start, send_end


class DownloadEndpoint:
    """Endpoint of one binding of one download rpc.

    An error before the first chunk becomes the status of the response. A later error leaves the response unfinished, so
    that no client takes it for a whole file.
    """

    def __init__(
        self,
        *,
        bind: RequestBinder,
        call: aio.UnaryStreamMultiCallable[Any, Any],
        authorizer: CallAuthorizer,
        file_name: str,
    ) -> None:
        self._bind = bind
        self._call = call
        self._authorizer = authorizer
        self._file_name = file_name

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:
        request = self._bind(http_request.path_values, http_request.query, b"")
        async with (
            self._authorizer.authorize(http_request) as metadata,
            aclosing(
                self._read_chunks(self._call(request, metadata=(*metadata, *trace_metadata())), http_request)
            ) as chunks,
        ):
            first = await anext(chunks, httpbody_pb2.HttpBody(content_type="application/octet-stream"))
            await send(self._response_start(first.content_type))
            if http_request.http_method != "HEAD":
                await send(body_part(first.data))
                async for chunk in chunks:
                    await send(body_part(chunk.data))
        await send_end(send)

    def _response_start(self, media_type: str) -> Message:
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-disposition", f'attachment; filename="{self._file_name}"'.encode()),
        ]
        return response_start(200, headers)

    async def _read_chunks(
        self, call: aio.UnaryStreamCall[Any, Any], http_request: HttpRequest
    ) -> AsyncGenerator[httpbody_pb2.HttpBody]:
        """Yield the chunks of the call. Closing the generator cancels the call.

        Raises:
            ClientDisconnected: the client closed the connection.
            HttpError: the call failed.

        """
        disconnected = asyncio.ensure_future(http_request.wait_for_disconnect())
        reading = asyncio.ensure_future(call.read())
        try:
            while True:
                await asyncio.wait({reading, disconnected}, return_when=asyncio.FIRST_COMPLETED)
                if disconnected.done():
                    raise ClientDisconnected
                chunk = reading.result()
                if chunk is aio.EOF:
                    return
                yield chunk
                reading = asyncio.ensure_future(call.read())
        except aio.AioRpcError as error:
            raise http_error_from(error, self._bind.client_field_path) from error
        finally:
            await end_call(call, reading, disconnected)
