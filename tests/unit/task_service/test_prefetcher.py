"""The next item is made while the last one is used: one, no more, and only when somebody says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from task_service.imports.usecases.prefetcher import Prefetcher

SOON = 20
"""Seconds in which what is waited for comes, if it ever does."""


class Items:
    """Numbers from 0 on, each made as soon as a test lets it; `begun` and `given_up` are what became of them."""

    def __init__(self, *, end: int = 3, error: Exception | None = None) -> None:
        self._end, self._error = end, error
        self.begun: list[int] = []
        self.given_up: list[int] = []
        self.has_begun = asyncio.Semaphore(0)
        self.may_be_made = asyncio.Event()
        self.may_be_made.set()

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in range(self._end):
            self.begun.append(number)
            self.has_begun.release()
            try:
                await self.may_be_made.wait()
            except asyncio.CancelledError:
                self.given_up.append(number)
                raise
            yield number
        if self._error is not None:
            raise self._error


async def turns() -> None:
    """Long enough for everything that could begin by itself."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_items_without_prefetch_come_one_by_one():
    items = Items()
    async with aclosing(Prefetcher(aiter(items))) as ahead:
        await turns()
        assert items.begun == []
        seen = []
        async for number in ahead:
            await turns()
            seen.append(number)
            assert items.begun == seen
        assert seen == [0, 1, 2]


async def test_prefetched_item_is_produced_early_and_once():
    items = Items()
    async with asyncio.timeout(SOON), aclosing(Prefetcher(aiter(items))) as ahead:
        assert await anext(ahead) == 0
        ahead.start_next()
        await items.has_begun.acquire()
        await items.has_begun.acquire()
        assert items.begun == [0, 1]
        assert [number async for number in ahead] == [1, 2]


async def test_prefetch_is_at_most_one_item_ahead():
    items = Items()
    async with aclosing(Prefetcher(aiter(items))) as ahead:
        for _ in range(3):
            ahead.start_next()
            await turns()
        assert items.begun == [0]
        assert await anext(ahead) == 0
        await turns()
        assert items.begun == [0]


async def test_item_in_production_is_awaited():
    items = Items()
    items.may_be_made.clear()
    async with asyncio.timeout(SOON), aclosing(Prefetcher(aiter(items))) as ahead:
        ahead.start_next()
        await items.has_begun.acquire()
        asking = asyncio.ensure_future(anext(ahead))
        await turns()
        assert not asking.done()
        items.may_be_made.set()
        assert await asking == 0
        assert items.begun == [0]


async def test_prefetch_error_is_raised_to_the_consumer():
    items = Items(end=1, error=LookupError())
    async with aclosing(Prefetcher(aiter(items))) as ahead:
        assert await anext(ahead) == 0
        ahead.start_next()
        await turns()
        ahead.start_next()
        with pytest.raises(LookupError):
            await anext(ahead)


async def test_the_end_is_found_ahead_as_well():
    items = Items(end=1)
    async with aclosing(Prefetcher(aiter(items))) as ahead:
        assert await anext(ahead) == 0
        ahead.start_next()
        await turns()
        assert [number async for number in ahead] == []


async def test_close_cancels_the_prefetch():
    items = Items()
    items.may_be_made.clear()
    ahead = Prefetcher(aiter(items))
    ahead.start_next()
    async with asyncio.timeout(SOON):
        await items.has_begun.acquire()
        await ahead.aclose()
    assert items.given_up == [0]


async def test_closing_is_none_the_worse_for_what_went_wrong_ahead():
    ahead = Prefetcher(aiter(Items(end=0, error=LookupError())))
    ahead.start_next()
    await turns()
    await ahead.aclose()
