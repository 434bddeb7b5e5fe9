"""Limit of concurrent work, in total and for each caller. Callers that wait take turns."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable
from contextlib import suppress

from chassis.kernel.holder_counts import HolderCounts


class NoFreeSlot(Exception):
    """No slot became free in time. It is not a TimeoutError, which the work in the slot may raise too."""


class FairLimiter:
    """Limit of concurrent holders, for each key and, if `max_total` is not None, in total.

    Holders of one key that wait are served in order. Keys that wait are served round robin, so a key with a hundred
    waiters delays another key by one turn, not by a hundred.
    """

    def __init__(self, *, max_total: int | None, max_per_key: int) -> None:
        self._max_total = max_total
        self._max_per_key = max_per_key
        self._held = HolderCounts[Hashable]()
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    def set_max_per_key(self, number: int) -> None:
        """Change the limit of each key. Holders above a lower one keep their slots; a higher one lets waiters start."""
        if number != self._max_per_key:
            self._max_per_key = number
            self._serve()

    def slot(self, key: Hashable, *, timeout_seconds: float) -> "Slot":
        """Return the context in which a slot is held. Entering it raises NoFreeSlot after the timeout."""
        return Slot(self, key, timeout_seconds)

    def try_acquire(self, key: Hashable) -> bool:
        """Take a slot if one is free and no holder of the key waits. Return whether it was taken."""
        is_free = key not in self._waiting and self._has_room(key)
        if is_free:
            self._held.add(key)
        return is_free

    async def acquire(self, key: Hashable, *, timeout_seconds: float | None = None) -> None:
        """Wait for a free slot and take it. Raises TimeoutError after the timeout, if there is one."""
        if self.try_acquire(key):
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(granted)
        try:
            if timeout_seconds is None:
                await granted
            else:
                async with asyncio.timeout(timeout_seconds):
                    await granted
        except BaseException:
            if granted.done() and not granted.cancelled():
                self.release(key)
            else:
                self._forget(key, granted)
            raise

    def release(self, key: Hashable) -> None:
        """Give the slot to the next key in turn."""
        self._held.remove(key)
        if self._waiting:
            self._serve()

    def _serve(self) -> None:
        """Give free slots to the keys that wait, in turn."""
        while (key := self._next_key()) is not None:
            waiters = self._waiting[key]
            waiter = waiters.popleft()
            # A waiter that was cancelled is still here until its task runs.
            if not waiter.done():
                waiter.set_result(None)
                self._held.add(key)
            if waiters:
                self._waiting.move_to_end(key)
            else:
                del self._waiting[key]

    def _has_room(self, key: Hashable) -> bool:
        has_total_room = self._max_total is None or self._held.total < self._max_total
        return has_total_room and self._held[key] < self._max_per_key

    def _next_key(self) -> Hashable | None:
        return next((key for key in self._waiting if self._has_room(key)), None)

    def _forget(self, key: Hashable, waiter: "asyncio.Future[None]") -> None:
        waiters = self._waiting.get(key, deque())
        with suppress(ValueError):
            waiters.remove(waiter)
        if not waiters:
            self._waiting.pop(key, None)


class Slot:
    """Context in which a slot is held. It is a class, because a generator costs twice as much."""

    __slots__ = ("_key", "_limiter", "_timeout_seconds")

    def __init__(self, limiter: FairLimiter, key: Hashable, timeout_seconds: float) -> None:
        self._limiter = limiter
        self._key = key
        self._timeout_seconds = timeout_seconds

    async def __aenter__(self) -> None:
        try:
            await self._limiter.acquire(self._key, timeout_seconds=self._timeout_seconds)
        except TimeoutError:
            raise NoFreeSlot from None

    async def __aexit__(self, *_: object) -> None:
        self._limiter.release(self._key)
