"""Limit of the calls of one caller that make progress at the same time."""

import asyncio
from collections.abc import Hashable

from chassis.kernel.fair_limit import FairLimiter
from chassis.limits.expiry_queue import ExpiryQueue

ALONE_SECONDS = 10.0
"""A key is alone if no other one has started a call for so long."""


class ActiveLimiter:
    """Limit of active calls for each key. Further ones wait in order.

    All calls in progress share the event loops and cores on their way, so each makes the others slower. A few calls of
    one key at a time are as fast together as fifty, and leave more to other keys.

    A call is active for at most `max_active_seconds`. One that takes longer mostly waits for something, such as a
    server that hangs, and the others of its key need not wait with it.

    A key that is alone may have `max_active_alone` active calls, because they delay nobody else's.
    """

    def __init__(self, *, max_active: int, max_active_seconds: float, max_active_alone: int | None = None) -> None:
        self._max_active = max_active
        self._max_active_alone = max_active if max_active_alone is None else max_active_alone
        self._last_key: Hashable = object()
        self._shared_until = 0.0
        self._limiter = FairLimiter(max_total=None, max_per_key=max_active)
        self._active = ExpiryQueue[ActiveCall](timeout_seconds=max_active_seconds, on_expired=self._release)
        self.waiting = 0
        """Number of calls that wait for others of their key."""

    async def start(self, key: Hashable) -> "ActiveCall":
        """Wait until a call of this key may start. Run it in the context that this returns."""
        self._limiter.set_max_per_key(self._max_active_alone if self._is_alone(key) else self._max_active)
        self.waiting += 1
        try:
            await self._limiter.acquire(key)
        finally:
            self.waiting -= 1
        call = ActiveCall(self, key)
        self._active.add(call)
        return call

    def end(self, call: "ActiveCall") -> None:
        """Count the call as active no longer. Without effect after its time."""
        if self._active.remove(call):
            self._release(call)

    def _is_alone(self, key: Hashable) -> bool:
        now = asyncio.get_running_loop().time()
        if key != self._last_key:
            self._last_key = key
            self._shared_until = now + ALONE_SECONDS
        return now >= self._shared_until

    def _release(self, call: "ActiveCall") -> None:
        self._limiter.release(call.key)


class ActiveCall:
    """Context of a call that has started. Each is equal to itself only."""

    __slots__ = ("_limiter", "key")

    def __init__(self, limiter: ActiveLimiter, key: Hashable) -> None:
        self._limiter = limiter
        self.key = key

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._limiter.end(self)
