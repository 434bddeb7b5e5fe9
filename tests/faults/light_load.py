"""A light load of several kinds of calls, and the result of each call."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2 as httpx

PAUSE_SECONDS = 0.05

Call = Callable[[], Awaitable[httpx.Response]]


@dataclass(frozen=True)
class Result:
    """One call: its kind, its start and end by the monotonic clock, its status and its Retry-After."""

    kind: str
    began: float
    ended: float
    status: int
    retry_after: str | None

    @property
    def is_success(self) -> bool:
        return self.status < 400

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass
class Load:
    """Results so far, in the order of their ends."""

    results: list[Result] = field(default_factory=list)

    def between(self, begin: float, end: float) -> list[Result]:
        """Return the calls that began in a time."""
        return [result for result in self.results if begin <= result.began < end]

    async def first_success(self, kind: str, after: float) -> Result:
        """Wait for the first success of a kind that ended after a time, and return it."""
        return await self._first(lambda result: result.kind == kind and result.ended >= after and result.is_success)

    async def first_refusal(self, kind: str, after: float) -> Result:
        """Wait for the first refusal of a kind that began after a time, and return it."""
        return await self._first(lambda result: result.kind == kind and result.began >= after and not result.is_success)

    async def _first(self, matches: Callable[[Result], bool]) -> Result:
        while True:
            for result in self.results:
                if matches(result):
                    return result
            await asyncio.sleep(PAUSE_SECONDS / 2)


@asynccontextmanager
async def light_load(calls: Mapping[str, Call]) -> AsyncIterator[Load]:
    """Repeat each kind of call while the context is open: up to twenty calls a second of each kind."""
    load = Load()

    async def repeat(kind: str, call: Call) -> None:
        while True:
            began = time.monotonic()
            response = await call()
            retry_after = response.headers.get("retry-after")
            load.results.append(Result(kind, began, time.monotonic(), response.status_code, retry_after))
            await asyncio.sleep(PAUSE_SECONDS)

    tasks = [asyncio.create_task(repeat(kind, call)) for kind, call in calls.items() for _ in range(2)]
    try:
        yield load
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    failures = [result for result in results if isinstance(result, Exception)]
    assert not failures, failures
