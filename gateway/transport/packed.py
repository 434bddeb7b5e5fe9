"""Bodies that come compressed by gzip (RFC 1952), unpacked as they arrive and never held."""

import zlib
from collections.abc import AsyncGenerator, AsyncIterator

from gateway.transport import failure

# RFC 9110 section 8.4.1.3: the second is another name for the first.
NAMES = {b"gzip", b"x-gzip"}

# What is unpacked at a time: a few bytes may stand for a thousand times as many.
_PIECE = 64 * 1024
_GZIP_ONLY = 16 + zlib.MAX_WBITS


def longest_packed(limit: int) -> int:
    """How long a body can be that unpacks to `limit` bytes: what can't be compressed grows by less than this."""
    return limit + limit // 1000 + 1024


async def unpacked(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """What the body holds: one member or several, one after the other.

    The bytes end only where a member ends. What they come to is for the reader to count: it holds no more than a piece
    at a time, whatever the body promises.

    Raises:
        Failure: the body is not gzip, is damaged, ends in mid-member or goes on behind it with something else.

    """
    member, is_whole = zlib.decompressobj(_GZIP_ONLY), False
    async for chunk in body:
        rest = chunk
        while rest:
            try:
                piece = member.decompress(rest, _PIECE)
            except zlib.error as error:
                raise failure.malformed_upload("MALFORMED_GZIP", "The body is not gzip, or it is damaged.") from error
            if piece:
                yield piece
            is_whole, rest = member.eof, member.unused_data or member.unconsumed_tail
            if is_whole:
                member = zlib.decompressobj(_GZIP_ONLY)
    if not is_whole:
        raise failure.malformed_upload("MALFORMED_GZIP", "The body ends in the middle of its gzip stream.")
