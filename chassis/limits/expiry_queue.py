"""Queue of items that all expire after the same time."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class ExpiryQueue(Generic[Item]):
    """Items in the order in which they expire. They share one timer, because a timer for each costs more.

    `on_expired` is called with each item that is still in the queue after the timeout and has left it.
    """

    def __init__(self, *, timeout_seconds: float, on_expired: Callable[[Item], None]) -> None:
        self._timeout_seconds = timeout_seconds
        self._on_expired = on_expired
        self._expires_at: dict[Item, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._expires_at)

    def add(self, item: Item) -> None:
        """Add an item, which is the youngest."""
        loop = asyncio.get_running_loop()
        self._expires_at[item] = loop.time() + self._timeout_seconds
        if self._timer is None:
            self._timer = loop.call_later(self._timeout_seconds, self._expire)

    def remove(self, item: Item) -> bool:
        """Remove an item. Return False if it has left the queue before."""
        return self._expires_at.pop(item, None) is not None

    def pop_oldest(self) -> Item:
        """Remove the oldest item and return it."""
        item = next(iter(self._expires_at))
        del self._expires_at[item]
        return item

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._expires_at:
            expires_at = next(iter(self._expires_at.values()))
            if expires_at > loop.time():
                self._timer = loop.call_at(expires_at, self._expire)
                return
            self._on_expired(self.pop_oldest())
