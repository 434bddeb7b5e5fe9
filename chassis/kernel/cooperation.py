"""Long work on an event loop that lets the calls in progress go on."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from time import perf_counter
from typing import TypeVar

from chassis.kernel.coalescing import is_call_waiting

Item = TypeVar("Item")

TURN_ITEMS = 20
"""Items of one turn: about a millisecond of work, such as the validation of as many tasks."""

PAUSE_SECONDS = 0.001

_BUSY_SECONDS = 0.00005
"""A turn of an idle event loop takes less."""


async def iterate_cooperatively(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield the items. After each 20 of them, let other tasks of the event loop run."""
    for index, item in enumerate(items):
        if index and index % TURN_ITEMS == 0:
            await yield_to_other_tasks()
        yield item


async def yield_to_other_tasks() -> None:
    """Let the other tasks of the event loop take a turn, and more of them if that turn was not empty.

    A call takes about a dozen turns. Without the pause it would wait for this work in each of them. The turns of
    calls that wait for each other are short, so their length does not show such calls.
    """
    began = perf_counter()
    await asyncio.sleep(0)
    if perf_counter() - began > _BUSY_SECONDS or is_call_waiting():
        await asyncio.sleep(PAUSE_SECONDS)
