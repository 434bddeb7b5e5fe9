"""Timeout for responses that the client does not read."""

import asyncio
from collections.abc import Callable

from gateway.transport.http.coalescing_transport import CoalescingTransport

_CHECKS_PER_TIMEOUT = 4


class SendTimeout:
    """Check of one connection's unsent bytes, at intervals.

    The connection is stalled if bytes wait for the whole timeout and fewer than `min_bytes` leave in it. Bytes may wait
    after the response too: a transport that is closed stays open until they are sent.
    """

    def __init__(
        self,
        transport: CoalescingTransport,
        *,
        timeout_seconds: float,
        min_bytes: int,
        on_stall: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._interval = timeout_seconds / _CHECKS_PER_TIMEOUT
        self._min_bytes = min_bytes
        self._on_stall = on_stall
        self._loop = asyncio.get_running_loop()
        # Sent bytes when the timeout began, and the checks since then. Not the clock: a loop that was busy for a while
        # has not given the client a chance to read.
        self._sent_bytes = 0
        self._checks = 0
        self._schedule()

    def stop(self) -> None:
        """Stop the checks."""
        self._timer.cancel()

    def _schedule(self) -> None:
        self._timer = self._loop.call_later(self._interval, self._check)

    def _check(self) -> None:
        sent_bytes = self._transport.sent_bytes
        if not self._transport.get_write_buffer_size() or sent_bytes - self._sent_bytes >= self._min_bytes:
            self._sent_bytes, self._checks = sent_bytes, 0
        else:
            self._checks += 1
        # The bytes may have been written just before the first of these checks.
        if self._checks > _CHECKS_PER_TIMEOUT:
            self._on_stall()
        else:
            self._schedule()
