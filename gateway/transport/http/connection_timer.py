"""The timer of a connection."""

import asyncio
from collections.abc import Callable


class ConnectionTimer:
    """Timer that is started and stopped with each request, and rarely runs out.

    Starting and stopping only set its end. The loop's own timer costs much more. It is started once, and again when it
    fires before the end.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None
        self._end: float | None = None
        self._callback: Callable[[], None] = _do_nothing

    @property
    def is_running(self) -> bool:
        """True from the start until the stop; it stays true when the time has passed."""
        return self._end is not None

    def start(self, seconds: float, callback: Callable[[], None]) -> None:
        """Start the timer. This replaces an earlier start."""
        self._end = self._loop.time() + seconds
        self._callback = callback
        if self._handle is not None and self._handle.when() > self._end:
            self._cancel()
        if self._handle is None:
            self._handle = self._loop.call_at(self._end, self._check)

    def stop(self) -> None:
        """Stop the timer: the callback is not called."""
        self._end = None

    def close(self) -> None:
        """Stop for good, and free the loop's timer, which holds the connection in memory."""
        self.stop()
        self._cancel()

    def _check(self) -> None:
        self._handle = None
        if self._end is None:
            return
        if self._loop.time() < self._end:
            self._handle = self._loop.call_at(self._end, self._check)
        else:
            self._callback()

    def _cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


def _do_nothing() -> None:
    pass
