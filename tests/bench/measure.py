"""CPU and memory of processes, and the throughput and latency of callers."""

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
    """Number of calls in a time, and the CPU seconds of each measured process."""

    calls: int
    seconds: float
    cpu: Mapping[str, float]

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds

    def cpu_ms(self, name: str) -> float:
        """Return the CPU milliseconds of a call in this process."""
        return self.cpu[name] * 1000 / self.calls


async def measure_calls(callers: Sequence[Call], *, seconds: float, pids: Mapping[str, int]) -> Sample:
    """Let each caller call again as soon as it has its response. The first error ends the measurement."""
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
    elapsed = time.perf_counter() - began
    cpu = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    return Sample(sum(task.result() for task in tasks), elapsed, cpu)


async def latencies(calls: Sequence[Call], *, during: Awaitable[object], pause: float) -> list[float]:
    """Repeat calls with a pause while `during` runs; return the seconds of each call."""
    durations: list[float] = []

    async def repeat(call: Call) -> None:
        while True:
            began = time.perf_counter()
            await call()
            durations.append(time.perf_counter() - began)
            await asyncio.sleep(pause)

    async with asyncio.TaskGroup() as group:
        calling = [group.create_task(repeat(call)) for call in calls]
        await during
        for task in calling:
            task.cancel()
    return durations


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process with all its threads, in steps of 10 ms."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def own_memory(pid: int) -> int:
    """Return the private bytes of a process and its children, without files and shared buffers."""
    process = psutil.Process(pid)
    total = 0
    for member in (process, *process.children(recursive=True)):
        try:
            memory = member.memory_info()
        except psutil.NoSuchProcess:
            continue
        total += memory.rss - memory.shared
    return total


@dataclass
class MemoryGrowth:
    """Private memory of each process, initial and maximum, in bytes."""

    initial: dict[str, int] = field(default_factory=dict)
    maximum: dict[str, int] = field(default_factory=dict)

    def sample(self, pids: Mapping[str, int]) -> None:
        for name, pid in pids.items():
            now = own_memory(pid)
            self.initial.setdefault(name, now)
            self.maximum[name] = max(now, self.maximum.get(name, 0))

    def mebibytes(self) -> dict[str, float]:
        return {name: (self.maximum[name] - first) / MEBIBYTE for name, first in self.initial.items()}


@asynccontextmanager
async def measuring_memory(pids: Mapping[str, int], *, every: float = 0.1) -> AsyncIterator[MemoryGrowth]:
    """Sample the memory of processes during the context."""
    growth = MemoryGrowth()
    growth.sample(pids)

    async def sample_repeatedly() -> None:
        while True:
            await asyncio.sleep(every)
            growth.sample(pids)

    sampling = asyncio.create_task(sample_repeatedly())
    try:
        yield growth
    finally:
        sampling.cancel()
        growth.sample(pids)
