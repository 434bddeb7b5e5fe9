"""Long work on an event loop beside other tasks."""

import asyncio
from time import perf_counter

from chassis.kernel.cooperation import TURN_ITEMS, iterate_cooperatively


async def test_busy_task_runs_between_turns():
    """A busy task runs several times between two turns of the iteration, and never within one."""
    turns = 0

    async def work() -> None:
        nonlocal turns
        while True:
            turns += 1
            until = perf_counter() + 0.0002
            while perf_counter() < until:
                pass
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        busy = group.create_task(work())
        seen = [(item, turns) async for item in iterate_cooperatively(range(3 * TURN_ITEMS))]
        busy.cancel()

    assert [item for item, _ in seen] == [*range(3 * TURN_ITEMS)]
    turns_of = [
        {turns for _, turns in seen[first : first + TURN_ITEMS]} for first in range(0, 3 * TURN_ITEMS, TURN_ITEMS)
    ]
    (first,), (second,), (third,) = turns_of
    assert (first, second >= 2, third >= second + 2) == (0, True, True)


async def test_few_items_are_one_turn():
    other = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(other.set_result, None)
    assert [item async for item in iterate_cooperatively(range(TURN_ITEMS))] == [*range(TURN_ITEMS)]
    assert not other.done()
