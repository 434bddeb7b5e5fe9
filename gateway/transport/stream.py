"""Rpcs that answer a stream: as server-sent events, or as one JSON text a line."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, ClassVar

from grpc import aio
from starlette.types import Send

from chassis.rpc.request_context import request_id
from gateway.transcoding.bind import RequestBinder
from gateway.transcoding.encode import Convert, to_json
from gateway.transcoding.places import is_text
from gateway.transport import failure
from gateway.transport.answer import begin
from gateway.transport.failure import Failure
from gateway.transport.incoming import Incoming
from gateway.transport.status import failure_of
from gateway.transport.unary import JsonBody

FIRST_MESSAGE_SECONDS = 5.0
"""How long an error may still become the answer's status; then the answer begins, with nothing to say yet."""

_SILENCE = object()


class EventStream:
    """Server-sent events (WHATWG HTML section 9.2). A comment keeps the connection alive."""

    media_type: ClassVar = b"text/event-stream"
    silence: ClassVar = b": keep-alive\n\n"

    def message(self, message: dict[str, Any]) -> bytes:
        """One event. A message's cursor is its id: browsers send it back as Last-Event-ID when they reconnect."""
        cursor = message.get("cursor")
        name = b"id: %b\n" % cursor.encode() if cursor else b""
        return b"%bdata: %b\n\n" % (name, to_json(message))

    def error(self, error: Failure) -> bytes:
        """The last event of a stream that failed."""
        return b"event: error\ndata: %b\n\n" % error.to_json(request_id())


class JsonLines:
    """One JSON object a line: {"result": ...}, or {"error": ...} as the last. An empty line keeps alive."""

    media_type: ClassVar = b"application/x-ndjson"
    silence: ClassVar = b"\n"

    def message(self, message: dict[str, Any]) -> bytes:
        """One line."""
        return to_json({"result": message}) + b"\n"

    def error(self, error: Failure) -> bytes:
        """The last line of a stream that failed."""
        return error.to_json(request_id()) + b"\n"


Framing = EventStream | JsonLines


def framing_for(accept: bytes) -> Framing:
    """Lines for who asks for them, events for everybody else."""
    return JsonLines() if JsonLines.media_type in accept.lower() else EventStream()


class StreamEndpoint:
    """Answers one binding of one server-streaming rpc. The call upstream ends when the client goes away."""

    def __init__(
        self,
        *,
        bind: RequestBinder,
        call: aio.UnaryStreamMultiCallable[Any, Any],
        encode: Convert,
        body: JsonBody,
        keep_alive_seconds: float,
        stopping: asyncio.Event,
    ) -> None:
        self._bind = bind
        self._call = call
        self._encode = encode
        self._body = body
        self._keep_alive_seconds = keep_alive_seconds
        self._stopping = stopping

    async def __call__(self, incoming: Incoming, send: Send) -> None:
        body = await self._body.read(incoming) if self._bind.takes_body else b""
        request = self._bind(incoming.values, incoming.query, body)
        go_on_behind(request, incoming)
        framing = framing_for(incoming.header(b"accept"))
        call = self._call(request, metadata=incoming.metadata())
        async with aclosing(self._messages(call, incoming)) as messages:
            # An error that comes first becomes the status; nothing has been sent yet.
            first = await anext(messages, None)
            await send(_start(framing))
            if incoming.http_method != "HEAD":
                await self._send_all(framing, first, messages, send)
        await send({"type": "http.response.body"})

    async def _send_all(self, framing: Framing, first: Any, rest: AsyncIterator[Any], send: Send) -> None:
        try:
            if first is not None:
                await send(_piece(self._frame(framing, first)))
            async for message in rest:
                await send(_piece(self._frame(framing, message)))
        except Failure as error:
            await send(_piece(framing.error(error)))

    def _frame(self, framing: Framing, message: Any) -> bytes:
        return framing.silence if message is _SILENCE else framing.message(self._encode(message))

    async def _messages(self, call: aio.UnaryStreamCall[Any, Any], incoming: Incoming) -> AsyncGenerator[Any]:
        """What the call answers, _SILENCE where it has nothing to say for a while; ends when the client is gone."""
        gone = asyncio.ensure_future(incoming.gone())
        stopping = asyncio.ensure_future(self._stopping.wait())
        reading = asyncio.ensure_future(call.read())
        patience = min(FIRST_MESSAGE_SECONDS, self._keep_alive_seconds)
        try:
            while True:
                await asyncio.wait({reading, gone, stopping}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                patience = self._keep_alive_seconds
                if gone.done():
                    return
                if reading.done():
                    message = _read(reading, self._bind)
                    if message is aio.EOF:
                        return
                    yield message
                    reading = asyncio.ensure_future(call.read())
                elif stopping.done():
                    raise failure.stopping()
                else:
                    yield _SILENCE
        finally:
            call.cancel()
            for waiting in (reading, gone, stopping):
                waiting.cancel()
            await asyncio.gather(reading, gone, stopping, return_exceptions=True)


def go_on_behind(request: Any, incoming: Incoming) -> None:
    """Fills the request's cursor, where it has one, with the id of the last event that the client got."""
    last = incoming.header(b"last-event-id")
    if last and is_text(request.DESCRIPTOR, "cursor") and last.isascii():
        request.cursor = last.decode()


def _read(reading: asyncio.Future[Any], bind: RequestBinder) -> Any:
    try:
        return reading.result()
    except aio.AioRpcError as error:
        raise failure_of(error, bind.spell) from error


def _start(framing: Framing) -> dict[str, Any]:
    headers = [
        (b"content-type", framing.media_type),
        # nginx otherwise holds events back until a buffer is full.
        (b"x-accel-buffering", b"no"),
    ]
    return begin(200, headers)


def _piece(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}
