"""Waiting until another process or task has fulfilled a condition."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

PAUSE_SECONDS = 0.02


async def until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    """Return when the condition is true. Raises TimeoutError after so many seconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no event of this process tells
            await asyncio.sleep(PAUSE_SECONDS)


async def until_awaited(condition: Callable[[], Awaitable[bool]], *, seconds: float = 20) -> None:
    """Return when the awaited condition is true. Raises TimeoutError after so many seconds."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - no event of this process tells
            await asyncio.sleep(PAUSE_SECONDS)


def wait_until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Return when the condition is true; blocks the thread. Fails after so many seconds."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} seconds"
        pause.wait(PAUSE_SECONDS)
