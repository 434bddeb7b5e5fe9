"""Endpoint of server-streaming rpcs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from grpc import aio

from chassis.kernel.turns import TakeTurn
from chassis.tracing.spans import trace_metadata
from gateway.clients.end_call import end_call
from gateway.transcoding.http.header_fields import has_string_field
from gateway.transcoding.http.request_binder import RequestBinder
from gateway.transcoding.json_codec.encoder import Encode
from gateway.transport.access_log import bind_reason
from gateway.transport.asgi import Message, Send
from gateway.transport.endpoints.framing import Framing, select_framing
from gateway.transport.errors import http_errors
from gateway.transport.errors.grpc_errors import http_error_from
from gateway.transport.errors.http_errors import HttpError
from gateway.transport.request.authorization import CallAuthorizer
from gateway.transport.request.concurrency_limit import CallerKey, caller_key
from gateway.transport.request.http_request import HttpRequest
from gateway.transport.request.json_body import JsonBodyReader
from gateway.transport.responses.send import body_part, response_start, send_end

FIRST_MESSAGE_TIMEOUT_SECONDS = 5.0
"""Maximum wait for the first message, whose error can still become the status. Then the response starts empty."""

_KEEP_ALIVE = object()


class ServerStreamEndpoint:
    """Endpoint of one binding of one server-streaming rpc. The gRPC call ends when the client disconnects."""

    def __init__(
        self,
        *,
        bind: RequestBinder,
        call: aio.UnaryStreamMultiCallable[Any, Any],
        authorizer: CallAuthorizer,
        encode: Encode,
        body_reader: JsonBodyReader,
        keep_alive_seconds: float,
        stopping: asyncio.Event,
        take_turn: TakeTurn,
    ) -> None:
        self._bind = bind
        self._call = call
        self._authorizer = authorizer
        self._encode = encode
        self._body_reader = body_reader
        self._keep_alive_seconds = keep_alive_seconds
        self._stopping = stopping
        self._take_turn = take_turn

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:
        body = await self._body_reader.read(http_request) if self._bind.has_body else b""
        request = self._bind(http_request.path_values, http_request.query, body)
        resume_after_last_event(request, http_request)
        framing = select_framing(http_request.header(b"accept"))
        has_started = False
        try:
            async with (
                self._authorizer.authorize(http_request) as metadata,
                aclosing(
                    self._read_messages(self._call(request, metadata=(*metadata, *trace_metadata())), http_request)
                ) as messages,
            ):
                first = await anext(messages, None)
                await send(_response_start(framing))
                has_started = True
                if http_request.http_method != "HEAD":
                    await self._send_all(framing, first, messages, send, caller_key(http_request.headers))
        except HttpError as error:
            # An error before the first message becomes the status, because nothing has been sent yet.
            if not has_started:
                raise
            bind_reason(error)
            await send(body_part(framing.format_error(error)))
        await send_end(send)

    async def _send_all(
        self, framing: Framing, first: Any, rest: AsyncIterator[Any], send: Send, caller: CallerKey
    ) -> None:
        if first is not None:
            await send(body_part(self._frame(framing, first)))
        async for message in rest:
            await self._take_turn(caller)
            await send(body_part(self._frame(framing, message)))

    def _frame(self, framing: Framing, message: Any) -> bytes:
        return framing.keep_alive if message is _KEEP_ALIVE else framing.format_message(self._encode(message))

    async def _read_messages(
        self, call: aio.UnaryStreamCall[Any, Any], http_request: HttpRequest
    ) -> AsyncGenerator[Any]:
        """Yield the messages of the call, and _KEEP_ALIVE after each timeout without one.

        It ends when the call ends or the client disconnects. Closing the generator cancels the call.
        """
        disconnected = asyncio.ensure_future(http_request.wait_for_disconnect())
        stopping = asyncio.ensure_future(self._stopping.wait())
        reading = asyncio.ensure_future(call.read())
        timeout = min(FIRST_MESSAGE_TIMEOUT_SECONDS, self._keep_alive_seconds)
        try:
            while True:
                await asyncio.wait(
                    {reading, disconnected, stopping}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
                timeout = self._keep_alive_seconds
                if disconnected.done():
                    return
                if reading.done():
                    message = _message_from(reading, self._bind)
                    if message is aio.EOF:
                        return
                    yield message
                    reading = asyncio.ensure_future(call.read())
                elif stopping.done():
                    raise http_errors.stopping()
                else:
                    yield _KEEP_ALIVE
        finally:
            await end_call(call, reading, disconnected, stopping)


def resume_after_last_event(request: Any, http_request: HttpRequest) -> None:
    """Set the cursor of the request, if it has one, to Last-Event-ID: the last event that the client received.

    Raises HttpError.
    """
    last_event_id = http_request.header(b"last-event-id")
    if not last_event_id or not has_string_field(request.DESCRIPTOR, "cursor"):
        return
    if not last_event_id.isascii():
        raise http_errors.malformed_header("last-event-id")
    request.cursor = last_event_id.decode()


def _message_from(reading: asyncio.Future[Any], bind: RequestBinder) -> Any:
    try:
        return reading.result()
    except aio.AioRpcError as error:
        raise http_error_from(error, bind.client_field_path) from error


def _response_start(framing: Framing) -> Message:
    headers = [
        (b"content-type", framing.media_type),
        # Without this header nginx holds events back until its buffer is full.
        (b"x-accel-buffering", b"no"),
    ]
    return response_start(200, headers)
