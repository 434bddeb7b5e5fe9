"""What a process used, and what a closed loop of callers got done in a given time."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psutil

Call = Callable[[], Awaitable[object]]

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Sample:
    """So many calls in so many seconds, and the CPU seconds that each watched process spent on them."""

    calls: int
    seconds: float
    cpu: Mapping[str, float]

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    def cpu_ms(self, *names: str) -> float:
        """CPU milliseconds a call, of these processes together."""
        return sum(self.cpu[name] for name in names) * 1000 / self.calls


async def keep_calling(callers: Sequence[Call], *, seconds: float, pids: Mapping[str, int]) -> Sample:
    """Lets each caller call again as soon as it is answered. The first error ends it all."""
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    began = time.perf_counter()
    end = began + seconds

    async def repeat(call: Call) -> int:
        calls = 0
        while time.perf_counter() < end:
            await call()
            calls += 1
        return calls

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(repeat(call)) for call in callers]
    taken = time.perf_counter() - began
    cpu = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    return Sample(sum(task.result() for task in tasks), taken, cpu)


async def latencies(calls: Sequence[Call], *, during: Awaitable[object], pause: float) -> list[float]:
    """The seconds that each call took, made again and again with a pause between two, while some work goes on."""
    found: list[float] = []

    async def repeat(call: Call) -> None:
        while True:
            began = time.perf_counter()
            await call()
            found.append(time.perf_counter() - began)
            await asyncio.sleep(pause)

    async with asyncio.TaskGroup() as group:
        calling = [group.create_task(repeat(call)) for call in calls]
        await during
        for task in calling:
            task.cancel()
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all its threads, from /proc/PID/stat; in steps of 10 ms."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def own_memory(pid: int) -> int:
    """Bytes that a process and its children hold for themselves: neither files nor Postgres's shared buffers."""
    process = psutil.Process(pid)
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            memory = one.memory_info()
        except psutil.NoSuchProcess:
            continue
        total += memory.rss - memory.shared
    return total


@dataclass
class Growth:
    """Each process's own memory at first, and the most that it ever was since. In bytes."""

    at_first: dict[str, int] = field(default_factory=dict)
    at_most: dict[str, int] = field(default_factory=dict)

    def look(self, pids: Mapping[str, int]) -> None:
        for name, pid in pids.items():
            now = own_memory(pid)
            self.at_first.setdefault(name, now)
            self.at_most[name] = max(now, self.at_most.get(name, 0))

    def mebibytes(self) -> dict[str, float]:
        return {name: (self.at_most[name] - first) / MEBIBYTE for name, first in self.at_first.items()}


@asynccontextmanager
async def watching_memory(pids: Mapping[str, int], *, every: float = 0.1) -> AsyncIterator[Growth]:
    """Looks at the processes' memory again and again while something goes on."""
    growth = Growth()
    growth.look(pids)

    async def look_again() -> None:
        while True:
            await asyncio.sleep(every)
            growth.look(pids)

    looking = asyncio.create_task(look_again())
    try:
        yield growth
    finally:
        looking.cancel()
        growth.look(pids)
