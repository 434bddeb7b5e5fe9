"""Making the next thing while the last one is being used."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class OneAhead(Generic[Item]):
    """The items of an iterator, the next of which can be begun before it is asked for; never more than that one.

    Close it when done: what is being made is given up.
    """

    def __init__(self, items: AsyncIterator[Item]) -> None:
        self._items = items
        self._making: asyncio.Task[tuple[Item] | None] | None = None

    def begin_next(self) -> None:
        """Begins to make the next item in the background, unless it has begun already."""
        self._begun()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        found = await self._begun()
        self._making = None
        if found is None:
            raise StopAsyncIteration
        return found[0]

    async def aclose(self) -> None:
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)

    def _begun(self) -> asyncio.Task[tuple[Item] | None]:
        if self._making is None:
            self._making = asyncio.create_task(_next(self._items))
        return self._making


async def _next(items: AsyncIterator[Item]) -> tuple[Item] | None:
    """The next item; None at the end, for a future does not take StopAsyncIteration."""
    async for item in items:
        return (item,)
    return None
