"""Timeout for responses that the client does not read."""

import asyncio
from typing import Any

import pytest

from gateway.transport.http.send_timeout import SendTimeout
from tests.support.waiting import until


class GrowingBuffer:
    """Transport whose client reads some bytes between two checks, and less than the application writes."""

    def __init__(self, read_bytes: int) -> None:
        self._read_bytes = read_bytes
        self.checks = 0

    @property
    def sent_bytes(self) -> int:
        self.checks += 1
        return self.checks * self._read_bytes

    def get_write_buffer_size(self) -> int:
        return self.checks


@pytest.mark.parametrize(("read_bytes", "is_cut"), [(10, False), (1, True)])
async def test_only_a_client_that_reads_too_little_is_cut(read_bytes, is_cut):
    """The bytes that leave count, although more of them wait each time."""
    transport: Any = GrowingBuffer(read_bytes)
    stalled = asyncio.Event()
    timeout = SendTimeout(transport, timeout_seconds=0.004, min_bytes=40, on_stall=stalled.set)
    await until(lambda: stalled.is_set() or transport.checks > 20)
    timeout.stop()
    assert stalled.is_set() == is_cut
