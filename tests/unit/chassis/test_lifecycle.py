"""Life cycle of a service, and the end of its background loops."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chassis.lifecycle import run_in_background, serve_until_signal


async def test_startup_objects_are_frozen_for_the_collector():
    startup_object: list[int] = []
    is_tracked = []

    def check_and_stop() -> None:
        is_tracked.append(any(tracked is startup_object for tracked in gc.get_objects()))
        signal.raise_signal(signal.SIGTERM)

    @asynccontextmanager
    async def serving() -> AsyncIterator[None]:
        asyncio.get_running_loop().call_soon(check_and_stop)
        yield

    assert any(tracked is startup_object for tracked in gc.get_objects())
    try:
        async with asyncio.timeout(10):
            await serve_until_signal(serving())
    finally:
        gc.unfreeze()
    assert is_tracked == [False]


async def test_loop_that_swallows_cancellation_still_ends():
    started, swallowed = asyncio.Event(), asyncio.Event()

    async def swallow_first_cancellation() -> None:
        while True:
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed.is_set():
                    raise
                swallowed.set()

    async with asyncio.timeout(10):
        async with run_in_background(swallow_first_cancellation()):
            await started.wait()
    assert swallowed.is_set()


async def test_failing_loop_ends_its_body_and_other_loops():
    """A loop that raises ends the other loops and the body of `run_in_background`."""
    has_ended = asyncio.Event()

    async def run_forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            has_ended.set()

    async def fail() -> None:
        raise LookupError

    async with asyncio.timeout(10):
        with pytest.raises(ExceptionGroup) as raised:
            async with run_in_background(run_forever(), fail()):
                await asyncio.Event().wait()
    assert [type(error) for error in raised.value.exceptions] == [LookupError]
    assert has_ended.is_set()
