"""Long work on an event loop, in steps between which calls in progress go on."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")

STEP_ITEMS = 20
"""Items of one step: about a millisecond of work, such as the validation of as many tasks."""

PAUSE_SECONDS = 0.001

_BUSY_SECONDS = 0.00005
"""A turn of an idle event loop takes less."""


async def in_steps(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield the items, and give way to other tasks after each step."""
    for index, item in enumerate(items):
        if index and index % STEP_ITEMS == 0:
            await give_way()
        yield item


async def give_way() -> None:
    """Let the other tasks of the event loop take a turn, and more of them if that turn was not empty.

    A call takes about a dozen turns, and in each it would wait for a step.
    """
    began = perf_counter()
    await asyncio.sleep(0)
    if perf_counter() - began > _BUSY_SECONDS:
        await asyncio.sleep(PAUSE_SECONDS)
