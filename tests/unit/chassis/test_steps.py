"""Steps of long work on an event loop."""

import asyncio
from time import perf_counter

from chassis.kernel.steps import STEP_ITEMS, in_steps


async def test_busy_task_takes_turns_between_steps():
    """It takes several turns between two steps, and none within a step."""
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
        seen = [(item, turns) async for item in in_steps(range(3 * STEP_ITEMS))]
        busy.cancel()

    assert [item for item, _ in seen] == [*range(3 * STEP_ITEMS)]
    steps = [{turns for _, turns in seen[first : first + STEP_ITEMS]} for first in range(0, 3 * STEP_ITEMS, STEP_ITEMS)]
    (first,), (second,), (third,) = steps
    assert (first, second >= 2, third >= second + 2) == (0, True, True)


async def test_few_items_are_one_step():
    other = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(other.set_result, None)
    assert [item async for item in in_steps(range(STEP_ITEMS))] == [*range(STEP_ITEMS)]
    assert not other.done()
