"""A service's life, and how the loops beside it end."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chassis.lifecycle import background, serve_until_signal


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
        async with background(loses_one()):
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
            async with background(goes_on(), raises()):
                await asyncio.Event().wait()
    assert [type(error) for error in raised.value.exceptions] == [LookupError]
    assert others_end.is_set()
