"""Long work on an event loop beside other tasks."""

import asyncio
from time import perf_counter

from chassis.kernel import coalescing
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


async def test_calls_that_wait_for_each_other_go_on_between_turns(monkeypatch):
    """Their turns are empty, but the work must not run on before they have begun."""
    monkeypatch.setattr(coalescing, "MAX_SECONDS", 60.0)
    monkeypatch.setattr(coalescing, "QUIET_TURNS", 2)  # more than the one turn that other work gets at least
    arrival = coalescing.CoalescingPoint().wait()
    seen = [arrival.done() async for _ in iterate_cooperatively(range(TURN_ITEMS + 1))]
    assert (seen[-2], seen[-1]) == (False, True)
