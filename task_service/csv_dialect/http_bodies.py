"""CSV files as streams of google.api.HttpBody."""

import codecs
from collections.abc import AsyncIterator

from google.api import httpbody_pb2

CSV_CONTENT_TYPE = "text/csv; charset=utf-8"

CHUNK_BYTES = 256 * 1024
"""Size of a message, well below the limit of a receiver. One page of long rows can exceed that limit."""


async def csv_bodies(texts: AsyncIterator[str], *, bom: bool) -> AsyncIterator[httpbody_pb2.HttpBody]:
    """Yield the texts of one CSV file as messages of at most CHUNK_BYTES, with a byte order mark if requested."""
    mark = codecs.BOM_UTF8 if bom else b""
    async for text in texts:
        data = mark + text.encode()
        mark = b""
        for start in range(0, len(data), CHUNK_BYTES):
            yield httpbody_pb2.HttpBody(content_type=CSV_CONTENT_TYPE, data=data[start : start + CHUNK_BYTES])
