"""Life cycle of a process: start, run until a signal arrives, stop in order."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import structlog

_ALLOCATIONS_PER_COLLECTION = 5_000
"""Objects that are created and not freed before the next collection; Python's default is 700."""
CANCEL_RETRY_SECONDS = 0.5
"""Longer than a transaction needs to roll back."""

log = structlog.get_logger("lifecycle")


async def serve_until_signal(serving: AbstractAsyncContextManager[Any]) -> None:
    """Enter `serving`, wait for SIGTERM or SIGINT, and leave it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving:
        _tune_garbage_collection()
        await stop.wait()
        log.info("stopping")


def _tune_garbage_collection() -> None:
    """Exclude modules, stubs and everything else that was created at start from garbage collection; collect less often.

    Otherwise a full collection scans them again and again, and each scan blocks the event loop for 70 ms. A collection
    scans the calls in progress too, which have hundreds of objects each: by default they start one every few calls.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION)


@asynccontextmanager
async def run_in_background(*loops: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run endless loops while the context is open, and cancel them at its end.

    A loop that raises ends the whole process: a restart is better than a half-working service.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop) for loop in loops]
        try:
            yield
        finally:
            await _cancel_all(tasks)


async def _cancel_all(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel the tasks until all have ended.

    A cancellation can be lost: in Python 3.11 asyncio.wait_for returns a result that arrives at the same moment, and
    database pools use it. A loop that lost its only cancellation would run on, and the process would not stop.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_RETRY_SECONDS)
