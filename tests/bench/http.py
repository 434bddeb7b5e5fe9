"""Minimal HTTP/1.1 client, so that its own cost stays out of the measurement."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import urlsplit

from tests.bench.measure import Call

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class HttpConnection:
    """One persistent connection."""

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

    def caller(self, request: Callable[[], bytes], *, status: bytes = b"2") -> Call:
        """Return a call that sends the bytes of `request()` and reads the response, whose status begins as given."""

        async def call() -> bytes:
            self._writer.write(request())
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            assert length, head
            body = await self._reader.readexactly(int(length[1]))
            assert head.startswith(b"HTTP/1.1 " + status), head + body
            return body

        return call
