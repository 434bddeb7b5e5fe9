"""Turns of the event loop for steps of callers."""

import asyncio

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


async def test_tasks_of_a_caller_take_turns():
    """Each turn of the event loop has one step of each caller."""
    turns, loop, turn = CallerTurns(), asyncio.get_running_loop(), 0
    taken: list[tuple[str, int]] = []

    def count() -> None:
        nonlocal turn
        turn += 1
        if len(taken) < 4:
            loop.call_soon(count)

    async def step(key: str) -> None:
        await turns.next(key)
        taken.append((key, turn))

    loop.call_soon(count)
    await asyncio.gather(*(step(key) for key in ("a", "a", "a", "b")))
    first = taken[0][1]
    assert sorted(taken) == [("a", first), ("a", first + 1), ("a", first + 2), ("b", first)]


async def test_cancelled_step_gives_its_turn_to_the_next():
    turns = CallerTurns()
    cancelled, waiting = asyncio.ensure_future(turns.next("a")), asyncio.ensure_future(turns.next("a"))
    await asyncio.sleep(0)
    cancelled.cancel()
    await waiting
    assert cancelled.cancelled()
