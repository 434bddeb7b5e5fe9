"""HTTP/1.1 with as little as a client can do: what it costs itself is not what is measured."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import urlsplit

from tests.bench.measure import Call

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class HttpConnection:
    """One connection, kept alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    def caller(self, request: Callable[[], bytes]) -> Call:
        """Sends what `request` makes and reads the whole answer, which must be a success."""

        async def call() -> bytes:
            self._writer.write(request())
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            assert length, head
            body = await self._reader.readexactly(int(length[1]))
            assert head.startswith(b"HTTP/1.1 2"), head + body
            return body

        return call
