"""Streaming decompression of gzip bodies (RFC 1952). It never holds the whole file."""

import zlib
from collections.abc import AsyncGenerator, AsyncIterator

from gateway.transport.errors import http_errors

CONTENT_CODINGS = frozenset({b"gzip", b"x-gzip"})
"""The names of gzip as a Content-Encoding; x-gzip is an alias (RFC 9110 section 8.4.1.3)."""

# Output per step. A few compressed bytes may expand a thousandfold.
_MAX_OUTPUT_BYTES = 64 * 1024
_GZIP_ONLY = 16 + zlib.MAX_WBITS


def max_compressed_size(max_bytes: int) -> int:
    """Return the maximum size of a body that decompresses to `max_bytes`: incompressible data grows less than this."""
    return max_bytes + max_bytes // 1000 + 1024


async def decompress(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the decompressed chunks of a body with one or more gzip members.

    The caller must count the output, which has no limit here; each step holds one chunk only. The output ends only
    where a member ends.

    Raises:
        HttpError: the body is not gzip, is damaged, is truncated, or has other data after a member.

    """
    member, is_complete = zlib.decompressobj(_GZIP_ONLY), False
    async for chunk in body:
        rest = chunk
        while rest:
            try:
                output = member.decompress(rest, _MAX_OUTPUT_BYTES)
            except zlib.error as error:
                message = "The body is not gzip, or it is damaged."
                raise http_errors.malformed_upload("MALFORMED_GZIP", message) from error
            if output:
                yield output
            is_complete, rest = member.eof, member.unused_data or member.unconsumed_tail
            if is_complete:
                member = zlib.decompressobj(_GZIP_ONLY)
    if not is_complete:
        raise http_errors.malformed_upload("MALFORMED_GZIP", "The gzip body is truncated. Send the whole file.")
