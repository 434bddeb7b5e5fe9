"""Turns of the event loop for steps of callers."""

import asyncio

from chassis.limits.caller_turns import CallerTurns


async def take_steps(turns: CallerTurns, key: str, steps: int, taken: list[str]) -> None:
    for _ in range(steps):
        await turns.next(key)
        taken.append(key)


async def test_callers_alternate_however_many_tasks_they_have():
    """Three tasks of one caller take as many steps as one task of another caller."""
    turns, taken = CallerTurns(), []
    many = [asyncio.create_task(take_steps(turns, "many", 3, taken)) for _ in range(3)]
    await asyncio.gather(*many, take_steps(turns, "one", 3, taken))
    assert sorted(taken[:6]) == ["many"] * 3 + ["one"] * 3
    assert taken[6:] == ["many"] * 6


async def test_tasks_of_a_caller_take_turns():
    turns, taken = CallerTurns(), []
    tasks = [turns.next("a") for _ in range(3)]
    steps = [asyncio.ensure_future(each) for each in tasks]
    for number in range(3):
        await asyncio.wait(steps[number:], return_when=asyncio.FIRST_COMPLETED)
        taken.append([each.done() for each in steps])
    assert taken == [[True, False, False], [True, True, False], [True, True, True]]


async def test_cancelled_step_gives_its_turn_to_the_next():
    turns = CallerTurns()
    cancelled, waiting = asyncio.ensure_future(turns.next("a")), asyncio.ensure_future(turns.next("a"))
    await asyncio.sleep(0)
    cancelled.cancel()
    await waiting
    assert cancelled.cancelled()
