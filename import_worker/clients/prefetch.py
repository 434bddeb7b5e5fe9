"""Read-ahead of an asynchronous source."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TypeVar

Item = TypeVar("Item", bound=object)


@asynccontextmanager
async def prefetch(source: AsyncGenerator[Item], *, max_items: int) -> AsyncIterator[AsyncIterator[Item]]:
    """Read up to `max_items` ahead in a task of their own, until the context is left. The source is closed then."""
    queue: asyncio.Queue[Item | Exception | None] = asyncio.Queue(max_items)
    task = asyncio.create_task(_fill(queue, source))
    try:
        yield _drain(queue)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _fill(queue: asyncio.Queue[Item | Exception | None], source: AsyncGenerator[Item]) -> None:
    """Put the items of the source into the queue, and then None, or the error that the source raises."""
    end: Exception | None = None
    async with aclosing(source):
        try:
            async for item in source:
                await queue.put(item)
        except Exception as error:  # noqa: BLE001 - the consumer raises it
            end = error
        await queue.put(end)


async def _drain(queue: asyncio.Queue[Item | Exception | None]) -> AsyncIterator[Item]:
    while (item := await queue.get()) is not None:
        if isinstance(item, Exception):
            raise item
        yield item
