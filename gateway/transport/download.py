"""Rpcs that answer a file, as a stream of google.api.HttpBody: sent on as it comes, and never held as a whole."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from google.api import httpbody_pb2
from grpc import aio
from starlette.types import Send

from gateway.transcoding.bind import RequestBinder
from gateway.transport.answer import begin
from gateway.transport.incoming import ClientGone, Incoming
from gateway.transport.status import failure_of


class DownloadEndpoint:
    """Answers one binding of one rpc that streams a file.

    An error that comes first becomes the status. One that comes later leaves the answer unfinished, which no client
    takes for a whole file.
    """

    def __init__(self, *, bind: RequestBinder, call: aio.UnaryStreamMultiCallable[Any, Any], file_name: str) -> None:
        self._bind = bind
        self._call = call
        self._file_name = file_name

    async def __call__(self, incoming: Incoming, send: Send) -> None:
        request = self._bind(incoming.values, incoming.query, b"")
        call = self._call(request, metadata=incoming.metadata())
        async with aclosing(self._pieces(call, incoming)) as pieces:
            first = await anext(pieces, httpbody_pb2.HttpBody(content_type="application/octet-stream"))
            await send(self._start(first.content_type))
            if incoming.http_method != "HEAD":
                await send({"type": "http.response.body", "body": first.data, "more_body": True})
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece.data, "more_body": True})
        await send({"type": "http.response.body"})

    def _start(self, media_type: str) -> dict[str, Any]:
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-disposition", f'attachment; filename="{self._file_name}"'.encode()),
        ]
        return begin(200, headers)

    async def _pieces(
        self, call: aio.UnaryStreamCall[Any, Any], incoming: Incoming
    ) -> AsyncGenerator[httpbody_pb2.HttpBody]:
        """What the call answers. The call ends with this: when the client goes away too, which is ClientGone."""
        gone = asyncio.ensure_future(incoming.gone())
        reading = asyncio.ensure_future(call.read())
        try:
            while True:
                await asyncio.wait({reading, gone}, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    raise ClientGone
                piece = reading.result()
                if piece is aio.EOF:
                    return
                yield piece
                reading = asyncio.ensure_future(call.read())
        except aio.AioRpcError as error:
            raise failure_of(error, self._bind.spell) from error
        finally:
            call.cancel()
            for waiting in (reading, gone):
                waiting.cancel()
            await asyncio.gather(reading, gone, return_exceptions=True)
