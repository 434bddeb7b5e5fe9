"""The life cycle of a service, and the end of its run_in_background loops."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chassis.kernel.errors import Unavailable
from chassis.lifecycle import run_in_background, run_periodically, serve_until_signal


async def test_startup_objects_are_frozen_for_the_collector():
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


async def test_loop_that_swallows_cancellation_still_ends():
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


async def test_failing_loop_ends_its_body_and_other_loops():
    """A loop that raises ends the body it runs beside and the other loops."""
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


async def test_wake_up_repeats_work_also_after_an_outage():
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
            await run_periodically(work, interval=3600, wake=asked)
    assert turns == away


async def test_work_repeats_after_its_interval():
    done = 0

    async def work() -> None:
        nonlocal done
        done += 1
        if done == 3:
            raise LookupError

    async with asyncio.timeout(10):
        with pytest.raises(LookupError):
            await run_periodically(work, interval=0.001)
