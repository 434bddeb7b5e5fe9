"""A request on its way to an endpoint: its parts, and its body in the pieces it arrives in."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from starlette.types import Message, Receive, Send

from chassis.rpc.request_context import REQUEST_ID_KEY, request_id
from gateway.clients.upstream import Metadata
from gateway.transport import failure

# Nothing else of what a client sends reaches a service: X-User-*, Grpc-Metadata-* and X-Forwarded-* are claims
# that anybody can make.
_FORWARDED = {b"authorization": "authorization"}
_LONGEST_FORWARDED = 4096


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


@dataclass(slots=True)
class Incoming:
    """One request. `values` are the path's variables from left to right, `client` the address it came from."""

    http_method: str
    values: tuple[str, ...]
    query: bytes
    headers: list[tuple[bytes, bytes]]
    receive: Receive
    client: str = ""

    def header(self, name: bytes) -> bytes:
        """A header's value, the last where there are several; empty where there is none."""
        found = b""
        for key, value in self.headers:
            if key == name:
                found = value
        return found

    def metadata(self) -> Metadata:
        """What goes upstream with the call.

        Raises:
            Failure: a header that would go with it can't be meant as it stands.

        """
        pairs = [(REQUEST_ID_KEY, request_id())]
        for key, value in self.headers:
            name = _FORWARDED.get(key)
            if name is None:
                continue
            text = value.decode("latin-1")
            known = any(pair[0] == name for pair in pairs)
            if known or len(text) > _LONGEST_FORWARDED or not (text.isascii() and text.isprintable()):
                raise failure.malformed_header(name)
            pairs.append((name, text))
        return tuple(pairs)

    def content_length(self) -> int | None:
        """What the client announced; None where it did not."""
        announced = self.header(b"content-length")
        return int(announced) if announced.isdigit() else None

    async def chunks(self, *, idle_seconds: float) -> AsyncIterator[bytes]:
        """The body's pieces as they arrive.

        Raises:
            ClientGone: the connection ended before the body did.
            Failure: nothing came for idle_seconds.

        """
        more = True
        while more:
            try:
                async with asyncio.timeout(idle_seconds):
                    message = await self.receive()
            except TimeoutError:
                raise failure.too_slow() from None
            if message["type"] == "http.disconnect":
                raise ClientGone
            more = message.get("more_body", False)
            if body := message.get("body", b""):
                yield body

    async def body(self, *, limit: int, seconds: float) -> bytes:
        """The whole body.

        Raises:
            ClientGone: the connection ended before the body did.
            Failure: it is over the limit, or not here in time.

        """
        if (self.content_length() or 0) > limit:
            raise failure.body_too_large(limit)
        try:
            async with asyncio.timeout(seconds):
                return await self._collect(limit)
        except TimeoutError:
            raise failure.too_slow() from None

    async def _collect(self, limit: int) -> bytes:
        message = await self._next()
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            pieces = bytearray(body)
            while message.get("more_body", False) and len(pieces) <= limit:
                message = await self._next()
                pieces += message.get("body", b"")
            body = bytes(pieces)
        if len(body) > limit:
            raise failure.body_too_large(limit)
        return body

    async def _next(self) -> Message:
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message

    async def gone(self) -> None:
        """Returns when the client has closed the connection. The body must have been read, or not matter."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


class Endpoint(Protocol):
    """What answers at a route."""

    async def __call__(self, incoming: Incoming, send: Send) -> None:
        """Answers, or raises Failure or InvalidRequest before the answer has begun."""
