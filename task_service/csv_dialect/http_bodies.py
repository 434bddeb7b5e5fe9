"""CSV files as streams of google.api.HttpBody."""

from collections.abc import AsyncIterator

from google.api import httpbody_pb2

CSV_CONTENT_TYPE = "text/csv; charset=utf-8"

CHUNK_BYTES = 256 * 1024
"""Size of a message, well below the limit of a receiver. One page of long rows can exceed that limit."""


async def csv_bodies(texts: AsyncIterator[str]) -> AsyncIterator[httpbody_pb2.HttpBody]:
    """Yield the texts of one CSV file as messages of at most CHUNK_BYTES."""
    async for text in texts:
        data = text.encode()
        for start in range(0, len(data), CHUNK_BYTES):
            yield httpbody_pb2.HttpBody(content_type=CSV_CONTENT_TYPE, data=data[start : start + CHUNK_BYTES])
