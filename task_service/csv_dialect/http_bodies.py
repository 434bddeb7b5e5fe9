"""Files on the wire, as streams of google.api.HttpBody."""

from collections.abc import AsyncIterator

from google.api import httpbody_pb2

CSV = "text/csv; charset=utf-8"

PIECE_BYTES = 256 * 1024
"""Well below what a receiver takes as one message, however long the rows of a page are."""


async def csv_bodies(texts: AsyncIterator[str]) -> AsyncIterator[httpbody_pb2.HttpBody]:
    """The texts, which make up one CSV file, as messages of a size that everybody takes."""
    async for text in texts:
        data = text.encode()
        for begin in range(0, len(data), PIECE_BYTES):
            yield httpbody_pb2.HttpBody(content_type=CSV, data=data[begin : begin + PIECE_BYTES])
