"""A process's life: start, run until told to stop, stop in order."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import structlog

from chassis.kernel.errors import Unavailable

CANCEL_AGAIN_SECONDS = 0.5
"""Longer than it takes to leave a transaction in order."""

log = structlog.get_logger("lifecycle")


async def serve_until_signal(serving: AbstractAsyncContextManager[Any]) -> None:
    """Enters `serving`, waits for SIGTERM or SIGINT, and leaves it again."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving:
        _keep_what_is_there()
        await stop.wait()
        log.info("stopping")


def _keep_what_is_there() -> None:
    """Takes modules, stubs and all else that lives as long as the process out of the garbage collector's sight.

    Otherwise it looks through them again and again, and for 70 ms each time nobody gets an answer.
    """
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def background(*loops: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs endless loops beside what is inside, and cancels them after it.

    A loop that raises takes the whole process down with it: a half-working service is worse than a restarted one.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop) for loop in loops]
        try:
            yield
        finally:
            await _end(tasks)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels until they have ended.

    A cancellation can be lost: asyncio.wait_for in Python 3.11 returns the result that arrives in the same moment, and
    database pools wait by it. A loop that lost the only one would go on, and a process that is told to stop would not.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)


async def repeat(work: Callable[[], Awaitable[object]], *, every: float, or_when: asyncio.Event | None = None) -> None:
    """Does the work again and again, each time so many seconds after the last or as soon as it is asked for.

    What is away (a database, a store) is tried again at the next turn; any other error ends the loop.
    """
    event = or_when or asyncio.Event()
    while True:
        event.clear()
        try:
            await work()
        except Unavailable:
            log.warning("not done this time: something is away", work=type(work).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), every)
