"""Making the next thing while the last one is being used."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

Item = TypeVar("Item")


async def one_ahead(items: AsyncIterator[Item]) -> AsyncGenerator[Item]:
    """The items. While whoever takes one awaits something, the next is made, and never more than that one."""
    making = asyncio.ensure_future(_next(items))
    try:
        while found := await making:
            making = asyncio.ensure_future(_next(items))
            yield found[0]
    finally:
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)


async def _next(items: AsyncIterator[Item]) -> tuple[Item] | None:
    """The next item; None at the end, for a future does not take StopAsyncIteration."""
    async for item in items:
        return (item,)
    return None
