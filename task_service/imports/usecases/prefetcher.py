"""Production of the next item while the current one is in use."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import copy_context
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class Prefetcher(Generic[Item]):
    """Iterator that can start to produce its next item early, at most one ahead. Close it to cancel that item."""

    def __init__(self, items: AsyncIterator[Item]) -> None:
        self._items = items
        # The next item belongs to the stream, also when it is started in the span of the current one.
        self._context = copy_context()
        self._next: asyncio.Task[tuple[Item] | None] | None = None

    def start_next(self) -> None:
        """Start to produce the next item in the background, unless it was started before."""
        self._ensure_started()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        item = await self._ensure_started()
        self._next = None
        if item is None:
            raise StopAsyncIteration
        return item[0]

    async def aclose(self) -> None:
        """Cancel the item that is being produced."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)

    def _ensure_started(self) -> asyncio.Task[tuple[Item] | None]:
        if self._next is None:
            self._next = asyncio.create_task(_produce(self._items), context=self._context)
        return self._next


async def _produce(items: AsyncIterator[Item]) -> tuple[Item] | None:
    """Return the next item; None at the end, because a task can't raise StopAsyncIteration."""
    async for item in items:
        return (item,)
    return None
