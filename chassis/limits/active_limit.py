"""Limit of the calls of one caller that make progress at the same time."""

import asyncio
import sys
from collections.abc import Hashable

from chassis.limits.fair_limit import FairLimiter


class ActiveLimiter:
    """Limit of active calls for each key. Further ones wait in order.

    All calls in progress share the event loops and cores on their way, so each makes the others slower. A few calls of
    one key at a time are as fast together as fifty, and leave more to other keys.

    A call is active for at most `max_active_seconds`. One that takes longer mostly waits for something, such as a
    server that hangs, and the others of its key need not wait with it.
    """

    def __init__(self, *, max_active: int, max_active_seconds: float) -> None:
        self._limiter = FairLimiter(max_total=sys.maxsize, max_per_key=max_active)
        self.max_active_seconds = max_active_seconds
        self.waiting = 0
        """Number of calls that wait for others of their key."""
        self._active: dict[ActiveCall, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, key: Hashable) -> "ActiveCall":
        """Wait until a call of this key may start. Pass the result to `end`, whatever happens to the call."""
        self.waiting += 1
        try:
            await self._limiter.acquire(key)
        finally:
            self.waiting -= 1
        call = ActiveCall(key)
        loop = asyncio.get_running_loop()
        self._active[call] = loop.time()
        if self._timer is None:  # one timer for all calls, because a timer for each costs more
            self._timer = loop.call_later(self.max_active_seconds, self._end_slow_calls)
        return call

    def end(self, call: "ActiveCall") -> None:
        """Count the call as active no longer. Without effect after its time."""
        if self._active.pop(call, None) is not None:
            self._limiter.release(call.key)

    def _end_slow_calls(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._active:
            call, started_at = next(iter(self._active.items()))
            if started_at + self.max_active_seconds > loop.time():
                self._timer = loop.call_at(started_at + self.max_active_seconds, self._end_slow_calls)
                return
            self.end(call)


class ActiveCall:
    """A call that has started. Each is equal to itself only."""

    __slots__ = ("key",)

    def __init__(self, key: Hashable) -> None:
        self.key = key
