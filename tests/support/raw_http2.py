"""HTTP/2 frames of a gRPC client that breaks the rules, which no client library sends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4
_INITIAL_WINDOW_SIZE = 4


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _literal(text: str) -> bytes:
    """Return a string of HPACK without Huffman coding (RFC 7541 section 5.2)."""
    raw = text.encode()
    length = bytes([len(raw)]) if len(raw) < 127 else _long_length(len(raw))
    return length + raw


def _long_length(length: int) -> bytes:
    rest, encoded = length - 127, bytes([127])
    while rest >= 128:
        encoded += bytes([rest % 128 + 128])
        rest //= 128
    return encoded + bytes([rest])


def open_call(stream: int, method: str, metadata: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return the frame that starts a call on this stream (an odd number)."""
    fields = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        *metadata,
    )
    # Literal header field without indexing, RFC 7541 section 6.2.2.
    block = b"".join(b"\0" + _literal(name) + _literal(value) for name, value in fields)
    return _frame(_HEADERS, _END_HEADERS, stream, block)


def half_message(stream: int, *, length: int = 100) -> bytes:
    """Return a frame with a message of this length of which only the first byte follows."""
    return _frame(_DATA, 0, stream, b"\0" + length.to_bytes(4, "big") + b"x")


def empty_request(stream: int) -> bytes:
    """Return a frame with a complete empty message, which ends the request."""
    return _frame(_DATA, _END_STREAM, stream, bytes(5))


@asynccontextmanager
async def raw_connection(target: str, *, window_bytes: int = 65_535) -> AsyncIterator[asyncio.StreamWriter]:
    """Connect and send the preface. What the server sends is read and discarded.

    Without a window, the server can send no response to a call.
    """
    host, _, port = target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    settings = _INITIAL_WINDOW_SIZE.to_bytes(2, "big") + window_bytes.to_bytes(4, "big")
    writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, settings))
    discarding = asyncio.create_task(reader.read())
    try:
        yield writer
    finally:
        discarding.cancel()
        writer.close()
