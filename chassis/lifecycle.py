"""A process's life: start, run until told to stop, stop in order."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import structlog

log = structlog.get_logger("lifecycle")


async def serve_until_signal(serving: AbstractAsyncContextManager[Any]) -> None:
    """Enters `serving`, waits for SIGTERM or SIGINT, and leaves it again."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving:
        await stop.wait()
        log.info("stopping")


@asynccontextmanager
async def background(*loops: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs endless loops beside what is inside, and cancels them after it.

    A loop that raises takes the whole process down with it: a half-working service is worse than a restarted one.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop) for loop in loops]
        yield
        for task in tasks:
            task.cancel()
