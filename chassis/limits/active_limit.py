"""Limit of the calls of one caller that make progress at the same time."""

import asyncio
import sys
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from chassis.limits.fair_limit import FairLimiter


class ActiveLimiter:
    """Limit of active calls for each key. Further ones wait in order.

    All calls in progress share the event loops and cores on their way, so each makes the others slower. A few calls of
    one key at a time are as fast together as fifty, and leave more to other keys.

    A call is active for at most `max_active_seconds`. One that takes longer mostly waits for something, such as a
    server that hangs, and the others of its key need not wait with it.
    """

    def __init__(self, *, max_active: int, max_active_seconds: float) -> None:
        self._active = FairLimiter(max_total=sys.maxsize, max_per_key=max_active)
        self.max_active_seconds = max_active_seconds
        self.waiting = 0
        """Number of calls that wait for others of their key."""

    @asynccontextmanager
    async def active(self, key: Hashable) -> AsyncIterator[None]:
        """Wait until a call of this key may start, and count it as active during the context."""
        self.waiting += 1
        try:
            await self._active.acquire(key)
        finally:
            self.waiting -= 1
        is_active = True

        def end() -> None:
            nonlocal is_active
            if is_active:
                is_active = False
                self._active.release(key)

        timer = asyncio.get_running_loop().call_later(self.max_active_seconds, end)
        try:
            yield
        finally:
            timer.cancel()
            end()
