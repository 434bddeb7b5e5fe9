"""Goals under overload: four times as many requests as the system can handle.

    python -m tests.bench.overload_goals [--seconds 10] [--peak-seconds 3] [--connections 600] [--times 4]
        [--json bench-overload.json]

The peak goodput is found by closed loops with more and more connections. The overload is an open loop: requests arrive
at a fixed rate, whatever comes back, and no client retries. Goodput is the rate of successful responses within a
second. Of ten requests, eight read a task, one lists 50, and one creates one. The generator is a process of its own on
the same machine, so that its CPU time is missing from the system: the output states it.
"""

import argparse
import asyncio
import base64
import itertools
import statistics
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

from rich.console import Console

from deploy.local.demo.rest_client import RestClient
from tests.bench.calls import BenchClient, open_client
from tests.bench.load_generator import Load, Outcome, generate_load
from tests.bench.measure import measuring_memory
from tests.bench.probes import Probe, probing, status_of
from tests.bench.report import Row, print_table, write_json
from tests.bench.system import PASSWORD, System, running_system

_GOODPUT_GOAL = 0.8
_SHED_GOAL_MS = 100
_PROBE_GOAL_MS = 1000
_MEMORY_GOAL_MIB = 64
_RECOVERY_GOAL_SECONDS = 2

_USERS = 8
_PEAK_CONNECTIONS = (4, 8, 16, 32, 64)
_USEFUL_SECONDS = 1.0
"""A later response counts as lost: its user has given up."""
_RECOVERY_SECONDS = 4.0
_RECOVERY_INTERVAL_SECONDS = 0.02
_NORMAL_SECONDS = 0.1
"""A request of an idle system takes less."""
_MEASURED_PROCESSES = ("gateway", "auth_service", "task_service")


@dataclass(frozen=True)
class Overload:
    """Result of the overload and of the time after it."""

    outcome: Outcome
    probes: Mapping[str, float]
    """Seconds of the slowest health check, by name. A failed one counts as infinite."""
    memory_mebibytes: Mapping[str, float]
    recovery_seconds: float


class Target:
    """The gateway, and the requests that it gets."""

    def __init__(self, url: str, requests: Sequence[bytes]) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.requests = requests

    async def load(self, *, connections: int, seconds: float, rate: float | None = None) -> Outcome:
        encoded = [base64.b64encode(request).decode() for request in self.requests]
        return await generate_load(Load(self.host, self.port, encoded, connections, seconds, rate))


async def find_peak(target: Target, *, seconds: float, console: Console) -> float:
    """Return the highest goodput of closed loops with a rising number of connections."""
    await target.load(connections=_PEAK_CONNECTIONS[1], seconds=seconds)  # warm-up
    rates = []
    for connections in _PEAK_CONNECTIONS:
        outcome = await target.load(connections=connections, seconds=seconds)
        rates.append(goodput(outcome))
        console.log(f"peak: {connections} connections: {rates[-1]:,.0f} a second; {describe(outcome)}")
    return max(rates)


async def overload(system: System, target: Target, *, rate: float, connections: int, seconds: float) -> Overload:
    """Offer the rate, watch health checks and memory, and wait until the system is normal again."""
    pids = {name: pid for name, pid in system.pids.items() if name in _MEASURED_PROCESSES}
    async with measuring_memory(pids, every=1.0) as memory, probing(_probes(system)) as slowest:
        outcome = await target.load(connections=connections, seconds=seconds, rate=rate)
        recovery_seconds = await _time_to_normal(target)
    return Overload(outcome, slowest, memory.mebibytes(), recovery_seconds)


def _probes(system: System) -> Iterable[Probe]:
    yield Probe("gateway, port of the API", f"{system.gateway_url}/readyz")
    for name, url in system.stack.endpoints.probes.items():
        yield Probe(name, f"{url}/readyz")


async def _time_to_normal(target: Target) -> float:
    """Return the seconds until the last request that fails or is slow, of a few requests after the overload."""
    began = perf_counter()
    last_abnormal = 0.0
    for request in itertools.cycle(target.requests):
        sent_at = perf_counter()
        if sent_at - began > _RECOVERY_SECONDS:
            return last_abnormal
        status = await status_of(target.host, target.port, request)
        if status not in {200, 201} or perf_counter() - sent_at > _NORMAL_SECONDS:
            last_abnormal = perf_counter() - began
        await asyncio.sleep(_RECOVERY_INTERVAL_SECONDS)
    return last_abnormal


def goodput(outcome: Outcome) -> float:
    """Return the useful responses a second."""
    return len(_useful(outcome)) / outcome.elapsed_seconds


def _useful(outcome: Outcome) -> list[float]:
    return [
        seconds
        for status, durations in outcome.seconds_by_status.items()
        if status.startswith("2")
        for seconds in durations
        if seconds <= _USEFUL_SECONDS
    ]


def percentile(durations: Sequence[float], percent: int) -> float:
    """Return a percentile in milliseconds."""
    return statistics.quantiles(durations, n=100)[percent - 1] * 1000 if len(durations) > 1 else 0.0


def describe(outcome: Outcome) -> str:
    """Return the responses by status, the latency of the useful ones, and the CPU of the generator."""
    statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(outcome.statuses.items()))
    useful = _useful(outcome)
    return (
        f"{statuses}; useful ones p50 {percentile(useful, 50):.0f} ms, p99 {percentile(useful, 99):.0f} ms; "
        f"generator {outcome.cpu_seconds / outcome.elapsed_seconds:.0%} of a core, "
        f"at most {outcome.max_lag_seconds * 1000:.0f} ms late"
    )


def goal_rows(peak: float, rate: float, found: Overload) -> Iterable[Row]:
    value = goodput(found.outcome)
    name = f"goodput at {rate:,.0f} requests a second"
    yield Row(name, "a second", value, peak, "peak", value / peak, ">=", _GOODPUT_GOAL)
    shed = found.outcome.seconds_by_status.get("503", []) + found.outcome.seconds_by_status.get("429", [])
    yield _plain_row("p99 of shed answers", "ms", percentile(shed, 99), _SHED_GOAL_MS)
    for probe, seconds in found.probes.items():
        yield _plain_row(f"slowest /readyz: {probe}", "ms", seconds * 1000, _PROBE_GOAL_MS)
    for process, mebibytes in found.memory_mebibytes.items():
        yield _plain_row(f"memory of {process}", "MiB more", mebibytes, _MEMORY_GOAL_MIB)
    yield _plain_row("time to normal", "s", found.recovery_seconds, _RECOVERY_GOAL_SECONDS)


def _plain_row(operation: str, unit: str, value: float, goal: float) -> Row:
    return Row(operation, unit, value, None, "", None, "<=", goal)


async def _clients(system: System) -> list[BenchClient]:
    """Return clients of several users, because a service limits what one user may take of its database."""
    clients = []
    async with RestClient(system.gateway_url) as rest:
        for number in range(_USERS):
            email = f"overload-{number}@example.com"
            await rest.register(f"overload-{number}", email, PASSWORD)
            token = (await rest.login(email, PASSWORD))["access_token"]
            clients.append((await open_client(token, system.tasks_target))[0])
    return clients


def _requests(clients: Sequence[BenchClient]) -> list[bytes]:
    return [request for client in clients for request in client.mixed_requests()]


@asynccontextmanager
async def running_target(console: Console) -> AsyncIterator[tuple[System, Target]]:
    async with running_system(console.log) as system:
        yield system, Target(system.gateway_url, _requests(await _clients(system)))


async def bench(arguments: argparse.Namespace, console: Console) -> list[Row]:
    async with running_target(console) as (system, target):
        peak = await find_peak(target, seconds=arguments.peak_seconds, console=console)
        rate = arguments.times * peak
        found = await overload(system, target, rate=rate, connections=arguments.connections, seconds=arguments.seconds)
    console.log(f"overload: an open loop of {rate:,.0f} requests a second without retries; {describe(found.outcome)}")
    return list(goal_rows(peak, rate, found))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.overload_goals", description="Measure the goals under overload."
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of the overload (%(default)s)")
    parser.add_argument("--peak-seconds", type=float, default=3.0, help="seconds of each closed loop (%(default)s)")
    parser.add_argument("--connections", type=int, default=600, help="connections of the overload (%(default)s)")
    parser.add_argument("--times", type=float, default=4.0, help="offered load in peaks (%(default)s)")
    parser.add_argument("--json", type=Path, default=Path("bench-overload.json"), help="output file (%(default)s)")
    arguments = parser.parse_args()
    console = Console(width=140)
    rows = asyncio.run(bench(arguments, console))
    print_table(rows, console)
    write_json(rows, arguments.json)


if __name__ == "__main__":
    main()
