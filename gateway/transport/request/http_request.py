"""An HTTP request as endpoints see it: its parts, and its body in the chunks in which it arrives."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from chassis.rpc.request_context import REQUEST_ID_KEY, request_id
from gateway.clients.upstream import Metadata
from gateway.transport.asgi import Message, Receive, Send
from gateway.transport.errors import http_errors
from gateway.transport.request.disconnect import ClientDisconnected, Disconnect

# No other header reaches a service: any client can send X-User-*, Grpc-Metadata-* and X-Forwarded-*.
_FORWARDED_HEADERS = {b"authorization": "authorization"}
_MAX_FORWARDED_LENGTH = 4096


@dataclass(slots=True)
class HttpRequest:
    """An HTTP request. `path_values` are the values of the path variables, from left to right."""

    http_method: str
    path_values: tuple[str, ...]
    query: bytes
    headers: list[tuple[bytes, bytes]]
    receive: Receive
    disconnect: Disconnect
    peer_address: str = ""
    """Address of the connection: a proxy's, if the client came through one."""

    def header(self, name: bytes) -> bytes:
        """Return the value of a header: the last one if it is repeated, empty if it is absent."""
        last_value = b""
        for key, value in self.headers:
            if key == name:
                last_value = value
        return last_value

    def metadata(self) -> Metadata:
        """Return the metadata for the gRPC call: the request id and the forwarded headers.

        Raises:
            HttpError: a forwarded header is repeated, too long or not printable ASCII.

        """
        pairs = [(REQUEST_ID_KEY, request_id())]
        for key, value in self.headers:
            name = _FORWARDED_HEADERS.get(key)
            if name is None:
                continue
            text = value.decode("latin-1")
            is_repeated = any(pair[0] == name for pair in pairs)
            if is_repeated or len(text) > _MAX_FORWARDED_LENGTH or not (text.isascii() and text.isprintable()):
                raise http_errors.malformed_header(name)
            pairs.append((name, text))
        return tuple(pairs)

    def content_length(self) -> int | None:
        """Return the announced length of the body, in bytes; None if the client announced none."""
        value = self.header(b"content-length")
        return int(value) if value.isdigit() else None

    async def chunks(self, *, idle_timeout_seconds: float, min_bytes_per_second: float) -> AsyncIterator[bytes]:
        """Yield the chunks of the body as they arrive.

        Only the time of waiting for the client counts, so that a slow service does not make its client fail.

        Raises:
            ClientDisconnected: the connection closed before the body ended.
            HttpError: no chunk arrived within the timeout, or the body is slower than the minimum rate and one timeout.

        """
        loop = asyncio.get_running_loop()
        more_body = True
        received_bytes, waited_seconds = 0, 0.0
        while more_body:
            allowed_seconds = idle_timeout_seconds + received_bytes / min_bytes_per_second - waited_seconds
            started_at = loop.time()
            try:
                async with asyncio.timeout(min(idle_timeout_seconds, allowed_seconds)):
                    message = await self._receive_body()
            except TimeoutError:
                raise http_errors.request_timeout() from None
            waited_seconds += loop.time() - started_at
            more_body = message.get("more_body", False)
            if body := message.get("body", b""):
                received_bytes += len(body)
                yield body

    async def body(self, *, max_bytes: int, timeout_seconds: float) -> bytes:
        """Return the whole body.

        Raises:
            ClientDisconnected: the connection closed before the body ended.
            HttpError: the body is larger than `max_bytes`, or did not end within the timeout.

        """
        if (self.content_length() or 0) > max_bytes:
            raise http_errors.body_too_large(max_bytes)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._collect(max_bytes)
        except TimeoutError:
            raise http_errors.request_timeout() from None

    async def wait_for_disconnect(self) -> None:
        """Return when the client has closed the connection. This discards the rest of the body."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _collect(self, max_bytes: int) -> bytes:
        message = await self._receive_body()
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            chunks = bytearray(body)
            while message.get("more_body", False) and len(chunks) <= max_bytes:
                message = await self._receive_body()
                chunks += message.get("body", b"")
            body = bytes(chunks)
        if len(body) > max_bytes:
            raise http_errors.body_too_large(max_bytes)
        return body

    async def _receive_body(self) -> Message:
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        return message


class Endpoint(Protocol):
    """Handler of a route."""

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:
        """Send the response, or raise HttpError or InvalidRequest before the response starts."""
