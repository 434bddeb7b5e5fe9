"""Read-ahead of an asynchronous source."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from import_worker.clients.prefetch import prefetch


class Source:
    """Source that counts to `size`, and then raises its error if it has one."""

    def __init__(self, size: int, *, error: Exception | None = None) -> None:
        self.size = size
        self.error = error
        self.produced = 0

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in range(1, self.size + 1):
            await asyncio.sleep(0)
            self.produced = number
            yield number
        if self.error:
            raise self.error


async def idle() -> None:
    """Let every task run until it waits."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_items_arrive_in_order():
    async with prefetch(Source(10), max_items=2) as items:
        assert [item async for item in items] == list(range(1, 11))


async def test_source_is_read_ahead_up_to_the_maximum():
    source = Source(100)
    async with prefetch(source, max_items=3) as items:
        await idle()
        assert source.produced == 4  # three in the queue and one that waits for room
        assert await anext(items) == 1
        await idle()
        assert source.produced == 5


async def test_error_is_raised_after_the_items_before_it():
    async with prefetch(Source(2, error=ValueError("broken")), max_items=10) as items:
        assert [await anext(items), await anext(items)] == [1, 2]
        with pytest.raises(ValueError, match="broken"):
            await anext(items)


async def test_reading_ends_when_the_context_is_left():
    source = Source(1_000_000)
    async with prefetch(source, max_items=3) as items:
        assert await anext(items) == 1
    produced = source.produced
    await idle()
    assert source.produced == produced
    # A gRPC server of another test may begin tasks in this event loop at any time.
    assert [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__name__", "") == "_fill"] == []
