"""Prefetcher: on request it produces one item while the consumer uses the last one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from task_service.imports.usecases.prefetcher import Prefetcher

TIMEOUT_SECONDS = 20
"""Timeout of everything that a test awaits."""


class Items:
    """Producer of numbers from 0 on, which a test can pause. It records the started and the cancelled items."""

    def __init__(self, *, end: int = 3, error: Exception | None = None) -> None:
        self._end, self._error = end, error
        self.started: list[int] = []
        self.cancelled: list[int] = []
        self.item_started = asyncio.Semaphore(0)
        self.may_produce = asyncio.Event()
        self.may_produce.set()

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in range(self._end):
            self.started.append(number)
            self.item_started.release()
            try:
                await self.may_produce.wait()
            except asyncio.CancelledError:
                self.cancelled.append(number)
                raise
            yield number
        if self._error is not None:
            raise self._error


async def run_other_tasks() -> None:
    """Let every ready task of the event loop run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_items_without_prefetch_come_one_by_one():
    items = Items()
    async with aclosing(Prefetcher(aiter(items))) as prefetcher:
        await run_other_tasks()
        assert items.started == []
        consumed = []
        async for number in prefetcher:
            await run_other_tasks()
            consumed.append(number)
            assert items.started == consumed
        assert consumed == [0, 1, 2]


async def test_prefetched_item_is_produced_early_and_once():
    items = Items()
    async with asyncio.timeout(TIMEOUT_SECONDS), aclosing(Prefetcher(aiter(items))) as prefetcher:
        assert await anext(prefetcher) == 0
        prefetcher.start_next()
        await items.item_started.acquire()
        await items.item_started.acquire()
        assert items.started == [0, 1]
        assert [number async for number in prefetcher] == [1, 2]


async def test_prefetch_is_at_most_one_item_ahead():
    items = Items()
    async with aclosing(Prefetcher(aiter(items))) as prefetcher:
        for _ in range(3):
            prefetcher.start_next()
            await run_other_tasks()
        assert items.started == [0]
        assert await anext(prefetcher) == 0
        await run_other_tasks()
        assert items.started == [0]


async def test_item_in_production_is_awaited():
    items = Items()
    items.may_produce.clear()
    async with asyncio.timeout(TIMEOUT_SECONDS), aclosing(Prefetcher(aiter(items))) as prefetcher:
        prefetcher.start_next()
        await items.item_started.acquire()
        next_item = asyncio.ensure_future(anext(prefetcher))
        await run_other_tasks()
        assert not next_item.done()
        items.may_produce.set()
        assert await next_item == 0
        assert items.started == [0]


async def test_prefetch_error_is_raised_to_the_consumer():
    items = Items(end=1, error=LookupError())
    async with aclosing(Prefetcher(aiter(items))) as prefetcher:
        assert await anext(prefetcher) == 0
        prefetcher.start_next()
        await run_other_tasks()
        prefetcher.start_next()
        with pytest.raises(LookupError):
            await anext(prefetcher)


async def test_prefetch_finds_the_end():
    items = Items(end=1)
    async with aclosing(Prefetcher(aiter(items))) as prefetcher:
        assert await anext(prefetcher) == 0
        prefetcher.start_next()
        await run_other_tasks()
        assert [number async for number in prefetcher] == []


async def test_close_cancels_the_prefetch():
    items = Items()
    items.may_produce.clear()
    prefetcher = Prefetcher(aiter(items))
    prefetcher.start_next()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await items.item_started.acquire()
        await prefetcher.aclose()
    assert items.cancelled == [0]


async def test_close_ignores_a_failed_prefetch():
    prefetcher = Prefetcher(aiter(Items(end=0, error=LookupError())))
    prefetcher.start_next()
    await run_other_tasks()
    await prefetcher.aclose()
