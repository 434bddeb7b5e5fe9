"""Read-ahead of an asynchronous source."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

Item = TypeVar("Item", bound=object)


@asynccontextmanager
async def prefetch(source: AsyncIterable[Item], *, max_items: int) -> AsyncIterator[AsyncIterator[Item]]:
    """Read up to `max_items` ahead, in a task that is cancelled when the context is left."""
    queue: asyncio.Queue[Item | Exception | None] = asyncio.Queue(max_items)
    task = asyncio.create_task(_fill(queue, source))
    try:
        yield _drain(queue)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _fill(queue: asyncio.Queue[Item | Exception | None], source: AsyncIterable[Item]) -> None:
    """Put the items of the source into the queue, and then None, or the error that the source raises."""
    end: Exception | None = None
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
