"""Streaming decompression of gzip bodies (RFC 1952). It never holds the whole file, and its work is bounded.

Input without output is cheap to send: a million empty members, empty blocks, long names in the header of a member.
Output without input is cheap to send too, and fills the storage. So both are limited by each other.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator

from gateway.transport.errors import http_errors
from gateway.transport.errors.http_errors import HttpError

CONTENT_CODINGS = frozenset({b"gzip", b"x-gzip"})
"""The names of gzip as a Content-Encoding; x-gzip is an alias (RFC 9110 section 8.4.1.3)."""

MAX_RATIO = 100
"""Maximum of decompressed bytes for each compressed byte, beyond the allowance. CSV files have ratios of 3 to 30."""
RATIO_ALLOWANCE_BYTES = 16 * 1024 * 1024
# Maximum of compressed bytes for each decompressed byte, beyond the allowance. It is 1 for data without a pattern.
_MAX_INVERSE_RATIO = 2
_INVERSE_RATIO_ALLOWANCE_BYTES = 64 * 1024
# A member for each KiB: bgzip writes one for each 64 KiB, and so do other parallel compressors.
_MEMBER_BYTES = 1024
_MEMBER_ALLOWANCE = 1000

# Input per step. The end of a member copies the rest of its step. Output per step: input may expand a thousandfold.
_MAX_INPUT_BYTES = 16 * 1024
_MAX_OUTPUT_BYTES = 64 * 1024
_GZIP_ONLY = 16 + zlib.MAX_WBITS


def max_compressed_size(max_bytes: int) -> int:
    """Return the maximum size of a body that decompresses to `max_bytes`: incompressible data grows less than this."""
    return max_bytes + max_bytes // 1000 + 1024


async def decompress(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the decompressed chunks of a body with one or more gzip members.

    The caller must count the output, which has no limit here; each step holds one chunk only. The output ends only
    where a member ends. Other tasks run after each step.

    Raises:
        HttpError: the body is not gzip, is damaged, is truncated, has other data after a member, or has too many
            members or bytes for its content, or too much content for its bytes.

    """
    decompressor = _Decompressor()
    async for chunk in body:
        unread = memoryview(chunk)
        while unread:
            output, consumed = decompressor.step(unread[:_MAX_INPUT_BYTES])
            unread = unread[consumed:]
            if output:
                yield output
            await asyncio.sleep(0)
    if not decompressor.is_complete:
        raise http_errors.malformed_upload("MALFORMED_GZIP", "The gzip body is truncated. Send the whole file.")


class _Decompressor:
    """Decompressor of members one after the other, with counters of its input, output and members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_ONLY)
        self._input_bytes = 0
        self._output_bytes = 0
        self._members = 0
        self.is_complete = False
        """True if the input so far ends where a member ends."""

    def step(self, data: memoryview) -> tuple[bytes, int]:
        """Decompress up to the end of the data, of the member, or of the output's limit.

        Return the output and the number of bytes that were consumed.
        """
        try:
            output = self._member.decompress(data, _MAX_OUTPUT_BYTES)
        except zlib.error as error:
            message = "The body is not gzip, or it is damaged."
            raise http_errors.malformed_upload("MALFORMED_GZIP", message) from error
        self.is_complete = self._member.eof
        consumed = len(data) - len(self._member.unused_data or self._member.unconsumed_tail)
        self._input_bytes += consumed
        self._output_bytes += len(output)
        if self.is_complete:
            self._members += 1
            self._member = zlib.decompressobj(_GZIP_ONLY)
        self._check_limits()
        return output, consumed

    def _check_limits(self) -> None:
        if self._output_bytes > self._input_bytes * MAX_RATIO + RATIO_ALLOWANCE_BYTES:
            raise http_errors.compression_ratio_too_high(MAX_RATIO)
        max_members = self._output_bytes // _MEMBER_BYTES + _MEMBER_ALLOWANCE
        max_input_bytes = self._output_bytes * _MAX_INVERSE_RATIO + _INVERSE_RATIO_ALLOWANCE_BYTES
        if self._members > max_members or self._input_bytes > max_input_bytes:
            raise _too_little_content()


def _too_little_content() -> HttpError:
    message = "The gzip body has too many members or bytes for its content. Compress the file as a whole."
    return http_errors.malformed_upload("MALFORMED_GZIP", message)
