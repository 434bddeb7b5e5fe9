"""Fair limit of concurrent work."""

import asyncio
from collections import Counter

import pytest

from chassis.kernel.fair_limit import FairLimiter, NoFreeSlot

FOREVER = 60.0


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_key_does_not_take_all():
    """A key waits at its own limit while another key gets a place."""
    limiter = FairLimiter(max_total=3, max_per_key=2)
    for key in ("a", "a"):
        await limiter.acquire(key, timeout_seconds=FOREVER)
    third = asyncio.create_task(limiter.acquire("a", timeout_seconds=FOREVER))
    await settle()
    assert not third.done()
    await limiter.acquire("b", timeout_seconds=FOREVER)
    limiter.release("a")
    await third


async def test_waiting_keys_take_turns():
    """A key with many waiters delays another key by one turn."""
    limiter = FairLimiter(max_total=1, max_per_key=1)
    await limiter.acquire("a", timeout_seconds=FOREVER)
    served = []

    async def use(key: str) -> None:
        await limiter.acquire(key, timeout_seconds=FOREVER)
        served.append(key)
        limiter.release(key)

    tasks = [asyncio.create_task(use(key)) for key in "aaaabbc"]
    await settle()
    limiter.release("a")
    await asyncio.gather(*tasks)
    assert served == list("abcabaa")


async def test_cancelled_waiter_gives_its_place_back():
    """A waiter that is cancelled before or after its grant leaves no place taken."""
    limiter = FairLimiter(max_total=1, max_per_key=1)
    await limiter.acquire("a", timeout_seconds=FOREVER)
    waiting, granted = [asyncio.create_task(limiter.acquire(key, timeout_seconds=FOREVER)) for key in "bc"]
    await settle()
    waiting.cancel()
    await settle()
    limiter.release("a")  # grants the place to c, which is cancelled before it runs
    granted.cancel()
    await asyncio.gather(waiting, granted, return_exceptions=True)
    await limiter.acquire("a", timeout_seconds=FOREVER)


async def test_wait_ends_after_the_timeout():
    limiter = FairLimiter(max_total=1, max_per_key=1)
    await limiter.acquire("a", timeout_seconds=FOREVER)
    with pytest.raises(TimeoutError):
        await limiter.acquire("b", timeout_seconds=0)
    limiter.release("a")
    await limiter.acquire("b", timeout_seconds=FOREVER)


async def test_slot_is_free_after_its_context():
    """The context ends a slot, and a wait for a slot that is too long is an error of its own."""
    limiter = FairLimiter(max_total=1, max_per_key=1)
    async with limiter.slot("a", timeout_seconds=FOREVER):
        with pytest.raises(NoFreeSlot):
            await limiter.slot("b", timeout_seconds=0).__aenter__()
    await limiter.acquire("b", timeout_seconds=0)


async def test_limits_hold_under_random_use():
    """Under random acquisitions and cancellations the limits are never exceeded, and every place comes back."""
    limiter = FairLimiter(max_total=5, max_per_key=2)
    held: Counter[int] = Counter()

    async def use(key: int, turns: int) -> None:
        await limiter.acquire(key, timeout_seconds=FOREVER)
        try:
            held[key] += 1
            assert held[key] <= 2
            assert held.total() <= 5
            for _ in range(turns):
                await asyncio.sleep(0)
        finally:
            held[key] -= 1
            limiter.release(key)

    tasks = [asyncio.create_task(use(number % 7, number % 4)) for number in range(300)]
    for number, task in enumerate(tasks):
        if number % 5 == 0:
            await asyncio.sleep(0)
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
    for key in range(5):
        await limiter.acquire(key, timeout_seconds=0)
