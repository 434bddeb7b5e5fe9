"""The timer of a connection."""

import asyncio
from collections.abc import Callable


class ConnectionTimer:
    """Timer of which at most one run is pending."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        """True from the start until the stop; it stays true when the time has passed."""
        return self._handle is not None

    def start(self, seconds: float, callback: Callable[[], None]) -> None:
        """Start the timer, instead of a run that is pending."""
        self.stop()
        self._handle = self._loop.call_later(seconds, callback)

    def stop(self) -> None:
        """Cancel a run that is pending."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
