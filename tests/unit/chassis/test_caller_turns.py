"""Turns of the event loop for steps of callers."""

import asyncio
from collections import defaultdict
from itertools import pairwise

from chassis.limits.caller_turns import CallerTurns


async def take_steps(turns: CallerTurns, key: str, steps: int, taken: list[str]) -> None:
    for _ in range(steps):
        await turns.next(key)
        taken.append(key)


async def test_callers_alternate_however_many_tasks_they_have():
    """Three tasks of one caller take as many steps as one task of another caller."""
    turns = CallerTurns()
    taken: list[str] = []
    many = [asyncio.create_task(take_steps(turns, "many", 3, taken)) for _ in range(3)]
    await asyncio.gather(*many, take_steps(turns, "one", 3, taken))
    assert sorted(taken[:6]) == ["many"] * 3 + ["one"] * 3
    assert taken[6:] == ["many"] * 6


class TurnCounter:
    """Number of the current turn of the event loop."""

    def __init__(self) -> None:
        self.turn = 0
        self._loop = asyncio.get_running_loop()
        self._count()

    def _count(self) -> None:
        self.turn += 1
        self._handle = self._loop.call_soon(self._count)

    def stop(self) -> None:
        self._handle.cancel()


async def turns_of_steps(turns: CallerTurns, keys: str, steps: int = 1) -> dict[str, list[int]]:
    """Return the turns of the event loop in which tasks with these keys take their steps."""
    counter, taken = TurnCounter(), defaultdict(list)

    async def take(key: str) -> None:
        for _ in range(steps):
            await turns.next(key)
            taken[key].append(counter.turn)

    await asyncio.gather(*map(take, keys))
    counter.stop()
    return taken


async def test_tasks_of_a_caller_take_turns():
    """Between two steps of a caller with several tasks, the event loop has turns without one."""
    taken = await turns_of_steps(CallerTurns(), "aaab")
    assert taken["a"][0] == taken["b"][0]
    assert all(later > earlier + 1 for earlier, later in pairwise(taken["a"]))


async def test_single_task_does_not_wait():
    """It takes a step in every second turn: one is for the grant."""
    taken = (await turns_of_steps(CallerTurns(), "a", steps=5))["a"]
    assert taken == list(range(taken[0], taken[0] + 10, 2))


async def test_cancelled_step_gives_its_turn_to_the_next():
    turns = CallerTurns()
    cancelled, waiting = asyncio.ensure_future(turns.next("a")), asyncio.ensure_future(turns.next("a"))
    await asyncio.sleep(0)
    cancelled.cancel()
    await waiting
    assert cancelled.cancelled()
