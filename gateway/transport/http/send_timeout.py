"""Timeout for responses that the client does not read."""

import asyncio
from collections.abc import Callable

_CHECKS_PER_TIMEOUT = 4


class SendTimeout:
    """Check of one connection's unsent bytes, at intervals.

    The connection is stalled if bytes wait for the whole timeout and fewer than `min_bytes` of them leave. Bytes may
    wait after the response too: a transport that is closed stays open until they are sent.
    """

    def __init__(
        self, transport: asyncio.WriteTransport, *, timeout_seconds: float, min_bytes: int, on_stall: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._interval = timeout_seconds / _CHECKS_PER_TIMEOUT
        self._min_bytes = min_bytes
        self._on_stall = on_stall
        self._loop = asyncio.get_running_loop()
        # Unsent bytes when the timeout began, and the checks since then. Not the clock: a loop that was busy for a
        # while has not given the client a chance to read.
        self._unsent_bytes = 0
        self._checks = 0
        self._schedule()

    def restart(self) -> None:
        """Restart the timeout: most of the unsent bytes have left."""
        self._unsent_bytes = 0

    def stop(self) -> None:
        """Stop the checks."""
        self._timer.cancel()

    def _schedule(self) -> None:
        self._timer = self._loop.call_later(self._interval, self._check)

    def _check(self) -> None:
        unsent_bytes = self._transport.get_write_buffer_size()
        has_progress = not self._unsent_bytes or unsent_bytes <= self._unsent_bytes - self._min_bytes
        if not unsent_bytes or has_progress:
            self._unsent_bytes, self._checks = unsent_bytes, 0
        else:
            self._checks += 1
        if self._checks >= _CHECKS_PER_TIMEOUT:
            self._on_stall()
        else:
            self._schedule()
