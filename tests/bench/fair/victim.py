"""Calls of a caller who must not suffer from another one, from a process of its own.

    python -m tests.bench.fair.victim    # started by Victim

The first line of stdin is a VictimOptions. Each further line is a number of seconds, for which the process calls at a
fixed rate. It then writes a line with Latencies. All lines are JSON.

It is an open loop: a slow response delays no later call.
"""

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Self

from tests.bench.calls import BenchClient, Callers
from tests.bench.measure import Call

OPERATIONS = ("GetTask", "ListTasks(50)")
PROTOCOLS = ("gRPC", "REST")
CALLS = tuple(f"{operation} by {protocol}" for operation in OPERATIONS for protocol in PROTOCOLS)
PATIENCE_SECONDS = 20.0
"""Time after the last call in which responses must arrive."""


@dataclass(frozen=True)
class VictimOptions:
    """Caller, its targets, and the rate of its calls."""

    tasks_target: str
    gateway_url: str
    token: str
    ids: Sequence[str]
    """Tasks that the caller reads."""
    rate: float
    """Calls a second, of each of CALLS."""


@dataclass
class Latencies:
    """Seconds of each call, by name. A failed call counts with PATIENCE_SECONDS."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    """First failure of each of CALLS."""
    max_lag_seconds: float = 0.0
    """Maximum delay of a call: this process itself got no CPU for so long."""


class _Callers:
    """Callers of one protocol. A call takes one, because an HTTP connection handles one request at a time."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self._idle: asyncio.Queue[int] = asyncio.Queue()
        for index in range(len(callers[OPERATIONS[0]])):
            self._idle.put_nowait(index)

    def call(self, operation: str) -> Call:
        async def call() -> None:
            index = await self._idle.get()
            await self._callers[operation][index]()
            self._idle.put_nowait(index)  # not after a failure, which can leave a connection in any state

        return call


async def _measure(calls: Sequence[tuple[str, Call]], *, seconds: float, rate: float) -> Latencies:
    """Call in turn, each of the calls `rate` times a second."""
    latencies = Latencies()
    durations: defaultdict[str, list[float]] = defaultdict(list)

    async def run(name: str, call: Call) -> None:
        sent_at = time.perf_counter()
        try:
            await call()
        except BaseException as error:  # a cancelled call has failed too
            latencies.failures.setdefault(name, repr(error))
            durations[name].append(PATIENCE_SECONDS)
            raise
        durations[name].append(time.perf_counter() - sent_at)

    running = []
    began = time.perf_counter()
    for number in range(round(seconds * rate) * len(calls)):
        due_at = began + number / (rate * len(calls))
        await asyncio.sleep(max(0.0, due_at - time.perf_counter()))
        latencies.max_lag_seconds = max(latencies.max_lag_seconds, time.perf_counter() - due_at)
        running.append(asyncio.create_task(run(*calls[number % len(calls)])))
    _, unfinished = await asyncio.wait(running, timeout=PATIENCE_SECONDS)
    for task in unfinished:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    latencies.seconds = dict(durations)
    return latencies


async def _serve(options: VictimOptions) -> None:
    client = BenchClient(options.token, options.ids)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        async with AsyncExitStack() as stack:
            callers = {
                "gRPC": _Callers(await stack.enter_async_context(client.by_grpc(options.tasks_target))),
                "REST": _Callers(await stack.enter_async_context(client.by_rest(options.gateway_url))),
            }
            calls = [
                (f"{operation} by {protocol}", callers[protocol].call(operation))
                for operation in OPERATIONS
                for protocol in PROTOCOLS
            ]
            await asyncio.gather(*(call() for _, call in calls))  # opens the connections
            latencies = await _measure(calls, seconds=json.loads(line), rate=options.rate)
        print(json.dumps(asdict(latencies)), flush=True)  # noqa: T201 - the protocol


class Victim:
    """Running victim. `pid` is its process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    @asynccontextmanager
    async def start(cls, options: VictimOptions) -> AsyncIterator[Self]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            __name__,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )
        try:
            victim = cls(process)
            victim._write(asdict(options))
            yield victim
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def measure(self, seconds: float) -> Latencies:
        """Call for this time and return what each call took."""
        self._write(seconds)
        assert self._process.stdout
        return Latencies(**json.loads(await self._process.stdout.readline()))

    def _write(self, message: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")


def main() -> None:
    options = VictimOptions(**json.loads(sys.stdin.readline()))
    asyncio.run(_serve(options))


if __name__ == "__main__":
    main()
