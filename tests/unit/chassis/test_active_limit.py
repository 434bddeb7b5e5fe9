"""Limit of active calls."""

import asyncio

import pytest

from chassis.limits import active_limit
from chassis.limits.active_limit import ActiveLimiter
from tests.support.waiting import until

FOREVER = 60.0


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


class Calls:
    """Calls that go on until they are released. The key of each is the first letter of its name."""

    def __init__(self, limiter: ActiveLimiter) -> None:
        self._limiter = limiter
        self._released = asyncio.Event()
        self.started: list[str] = []

    def start(self, *names: str) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._run(name)) for name in names]

    def release(self) -> None:
        self._released.set()

    async def _run(self, name: str) -> None:
        with await self._limiter.start(name[0]):
            self.started.append(name)
            await self._released.wait()


async def test_calls_above_the_limit_wait_in_order():
    """A call of another key does not wait for them."""
    calls = Calls(ActiveLimiter(max_active=2, max_active_seconds=FOREVER))
    tasks = calls.start("a1", "a2", "a3", "a4", "b1")
    await settle()
    assert calls.started == ["a1", "a2", "b1"]
    calls.release()
    await asyncio.gather(*tasks)
    assert calls.started == ["a1", "a2", "b1", "a3", "a4"]


async def test_key_that_is_alone_may_have_more(monkeypatch: pytest.MonkeyPatch):
    """Calls that wait start as soon as a key is alone. The next call of another key brings the limit back."""
    calls = Calls(ActiveLimiter(max_active=1, max_active_seconds=FOREVER, max_active_alone=3))
    monkeypatch.setattr(active_limit, "ALONE_SECONDS", FOREVER)
    tasks = calls.start("a1", "a2", "b1", "b2")
    await settle()
    assert calls.started == ["a1", "b1"]
    monkeypatch.setattr(active_limit, "ALONE_SECONDS", 0.0)
    tasks += calls.start("a3", "a4")
    await settle()
    assert sorted(calls.started) == ["a1", "a2", "a3", "b1", "b2"]
    monkeypatch.setattr(active_limit, "ALONE_SECONDS", FOREVER)
    tasks += calls.start("c1", "c2")
    await settle()
    assert sorted(calls.started) == ["a1", "a2", "a3", "b1", "b2", "c1"]
    calls.release()
    await asyncio.gather(*tasks)


async def test_slow_calls_let_the_next_ones_start():
    """A call that ends after its time does not make room a second time, which the limiter would not allow."""
    calls = Calls(ActiveLimiter(max_active=1, max_active_seconds=0.001))
    tasks = calls.start("a1", "a2", "a3")
    await until(lambda: len(calls.started) == 3)
    calls.release()
    await asyncio.gather(*tasks)


async def test_failed_and_cancelled_calls_make_room():
    """The next one starts after an active call was cancelled, and a cancelled one that waits is skipped."""
    limiter = ActiveLimiter(max_active=1, max_active_seconds=FOREVER)
    calls = Calls(limiter)
    active, waiting, last = calls.start("a1", "a2", "a3")
    await settle()
    assert limiter.waiting == 2
    waiting.cancel()
    active.cancel()
    await asyncio.gather(active, waiting, return_exceptions=True)
    await settle()
    assert (calls.started, limiter.waiting) == (["a1", "a3"], 0)
    calls.release()
    await last
