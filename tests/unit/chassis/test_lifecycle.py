"""Loops beside a service: how they end."""

import asyncio

import pytest

from chassis.lifecycle import background


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
