"""A service's life, and how the loops beside it end."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chassis.kernel.errors import Unavailable
from chassis.lifecycle import run_in_background
from chassis.lifecycle import run_periodically
from chassis.lifecycle import serve_until_signal


async def test_what_a_service_began_with_is_not_looked_through_for_garbage_again():
    began_with: list[int] = []
    looked_through = []

    def look() -> None:
        looked_through.append(any(one is began_with for one in gc.get_objects()))
        signal.raise_signal(signal.SIGTERM)

    @asynccontextmanager
    async def serving() -> AsyncIterator[None]:
        asyncio.get_running_loop().call_soon(look)
        yield

    assert any(one is began_with for one in gc.get_objects())
    try:
        async with asyncio.timeout(10):
            await serve_until_signal(serving())
    finally:
        gc.unfreeze()
    assert looked_through == [False]


async def test_a_loop_that_lost_its_cancellation_ends_all_the_same():
    begun, lost = asyncio.Event(), asyncio.Event()

    async def loses_one() -> None:
        while True:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost.is_set():
                    raise
                lost.set()

    async with asyncio.timeout(10):
        async with run_in_background(loses_one()):
            await begun.wait()
    assert lost.is_set()


async def test_a_loop_that_raises_ends_what_it_stands_beside_and_the_other_loops():
    others_end = asyncio.Event()

    async def goes_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            others_end.set()

    async def raises() -> None:
        raise LookupError

    async with asyncio.timeout(10):
        with pytest.raises(ExceptionGroup) as raised:
            async with run_in_background(goes_on(), raises()):
                await asyncio.Event().wait()
    assert [type(error) for error in raised.value.exceptions] == [LookupError]
    assert others_end.is_set()


async def test_work_is_done_again_when_it_is_asked_for_also_after_something_was_away():
    asked, away = asyncio.Event(), [True, False, True]
    turns: list[bool] = []

    async def work() -> None:
        turns.append(away[len(turns)])
        if len(turns) == len(away):
            raise LookupError
        asked.set()
        if turns[-1]:
            raise Unavailable

    async with asyncio.timeout(10):
        with pytest.raises(LookupError):
            await run_periodically(work, every=3600, or_when=asked)
    assert turns == away


async def test_work_that_nobody_asks_for_is_done_again_after_its_time():
    done = 0

    async def work() -> None:
        nonlocal done
        done += 1
        if done == 3:
            raise LookupError

    async with asyncio.timeout(10):
        with pytest.raises(LookupError):
            await run_periodically(work, every=0.001)
