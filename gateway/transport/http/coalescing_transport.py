"""Transport that joins the head of a response with its body, so that both leave in one system call."""

import asyncio
from typing import Any


class CoalescingTransport(asyncio.Transport):
    """Transport of a connection. A write waits for the next one, at most until the end of the event loop's turn.

    uvicorn writes the head and the body of a response separately, and uvloop sends each at once. A system call on a
    socket costs as much as all header lines, and wakes the client.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held = b""
        self._is_flush_scheduled = False
        self._written_bytes = 0

    @property
    def sent_bytes(self) -> int:
        """Number of bytes that have left this process since the connection began."""
        return self._written_bytes - self.get_write_buffer_size()

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hold the data, or send it with the data that was held."""
        if self._held:
            self.write_now(data)
            return
        self._held = bytes(data)
        if not self._is_flush_scheduled:
            self._is_flush_scheduled = True
            self._loop.call_soon(self._end_turn)

    def write_now(self, data: bytes | bytearray | memoryview) -> None:
        """Send the data that is held, and this data."""
        held, self._held = self._held, b""
        self._send(held + data)

    def close(self) -> None:
        """Send the data that is held and close."""
        self._flush()
        self._transport.close()

    def write_eof(self) -> None:
        """Send the data that is held and close the sending half."""
        self._flush()
        self._transport.write_eof()

    def abort(self) -> None:
        """Close at once, without sending what is held."""
        self._held = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def _end_turn(self) -> None:
        self._is_flush_scheduled = False
        self._flush()

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._send(held)

    def _send(self, data: bytes) -> None:
        self._written_bytes += len(data)
        self._transport.write(data)
