"""Goals under overload: four times as many requests as the system can handle.

    python -m tests.bench.overload_goals [--rounds 3] [--seconds 6] [--peak-seconds 1.5] [--connections 600]
        [--times 4] [--json bench-overload.json]

In each round, short closed loops find the best number of connections, a longer one with it measures the peak goodput,
and the overload follows.
It is an open loop: requests arrive at a fixed rate, whatever comes back, and no client retries. Goodput is the rate of
successful responses within a second. Of ten requests, eight read a task, one lists 50, and one creates one. The ratio
of goodput and peak is the median of the rounds. Of everything else the worst round counts.

The generator is a process of its own on the same machine. The CPU time that it takes is missing from the system: the
output states it.
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
class Round:
    """Peak goodput, and the overload with the time after it."""

    peak: float
    rate: float
    outcome: Outcome
    probes: Mapping[str, float]
    """Seconds of the slowest health check, by name. A failed one counts as infinite."""
    recovery_seconds: float

    @property
    def goodput_ratio(self) -> float:
        return goodput(self.outcome) / self.peak

    def to_json(self) -> Mapping[str, object]:
        outcome = self.outcome
        return {
            "peak": self.peak,
            "offered": self.rate,
            "goodput": goodput(outcome),
            "statuses": outcome.statuses,
            "useful_p50_ms": percentile(_useful(outcome), 50),
            "useful_p99_ms": percentile(_useful(outcome), 99),
            "shed_p99_ms": percentile(_shed(outcome), 99),
            "slowest_readyz_seconds": dict(self.probes),
            "recovery_seconds": self.recovery_seconds,
            "generator_cores": outcome.cpu_seconds / outcome.elapsed_seconds,
            "generator_max_lag_seconds": outcome.max_lag_seconds,
        }


class Target:
    """The gateway, and the requests that it gets."""

    def __init__(self, url: str, requests: Sequence[bytes]) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.requests = requests

    async def load(self, *, connections: int, seconds: float, rate: float | None = None) -> Outcome:
        encoded = [base64.b64encode(request).decode() for request in self.requests]
        return await generate_load(Load(self.host, self.port, encoded, connections, seconds, rate))


async def find_peak(target: Target, *, seconds: float, peak_seconds: float, console: Console) -> float:
    """Return the goodput of a closed loop, with the number of connections that is best in short loops.

    It lasts as long as the overload. The best of several short loops would be too high, by chance.
    """
    rates = {}
    for connections in _PEAK_CONNECTIONS:
        outcome = await target.load(connections=connections, seconds=peak_seconds)
        rates[connections] = goodput(outcome)
        console.log(f"peak: {connections} connections: {rates[connections]:,.0f} a second; {describe(outcome)}")
    best = max(rates, key=lambda connections: rates[connections])
    outcome = await target.load(connections=best, seconds=seconds)
    console.log(
        f"peak: {goodput(outcome):,.0f} a second with {best} connections for {seconds:g} s; {describe(outcome)}"
    )
    return goodput(outcome)


async def run_round(system: System, target: Target, arguments: argparse.Namespace, console: Console) -> Round:
    """Find the peak, offer a multiple of it, watch health checks, and wait until the system is normal again."""
    peak = await find_peak(target, seconds=arguments.seconds, peak_seconds=arguments.peak_seconds, console=console)
    rate = arguments.times * peak
    async with probing(_probes(system)) as slowest:
        outcome = await target.load(connections=arguments.connections, seconds=arguments.seconds, rate=rate)
        recovery_seconds = await _time_to_normal(target)
    console.log(f"overload: an open loop of {rate:,.0f} requests a second without retries: {describe(outcome)}")
    return Round(peak, rate, outcome, slowest, recovery_seconds)


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


def _shed(outcome: Outcome) -> list[float]:
    return outcome.seconds_by_status.get("503", []) + outcome.seconds_by_status.get("429", [])


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


def goal_rows(rounds: Sequence[Round], memory_mebibytes: Mapping[str, float]) -> Iterable[Row]:
    yield Row(
        operation="goodput under overload",
        unit="a second",
        value=statistics.median(goodput(each.outcome) for each in rounds),
        floor=statistics.median(each.peak for each in rounds),
        floor_name="peak",
        ratio=statistics.median(each.goodput_ratio for each in rounds),
        comparison=">=",
        goal=_GOODPUT_GOAL,
    )
    shed_ms = max(percentile(_shed(each.outcome), 99) for each in rounds)
    yield _plain_row("p99 of shed answers", "ms", shed_ms, _SHED_GOAL_MS)
    for probe in sorted(rounds[0].probes):
        slowest = max(each.probes[probe] for each in rounds)
        yield _plain_row(f"slowest /readyz: {probe}", "ms", slowest * 1000, _PROBE_GOAL_MS)
    for process, mebibytes in memory_mebibytes.items():
        yield _plain_row(f"memory of {process}", "MiB more", mebibytes, _MEMORY_GOAL_MIB)
    recovery_seconds = max(each.recovery_seconds for each in rounds)
    yield _plain_row("time to normal", "s", recovery_seconds, _RECOVERY_GOAL_SECONDS)


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


@asynccontextmanager
async def running_target(console: Console) -> AsyncIterator[tuple[System, Target]]:
    """Run a system with users and tasks."""
    async with running_system(console.log) as system:
        clients = await _clients(system)
        yield system, Target(system.gateway_url, [request for each in clients for request in each.mixed_requests()])


async def bench(arguments: argparse.Namespace, console: Console) -> tuple[list[Round], list[Row]]:
    async with running_target(console) as (system, target):
        await target.load(connections=8, seconds=arguments.peak_seconds)  # warm-up
        pids = {name: pid for name, pid in system.pids.items() if name in _MEASURED_PROCESSES}
        async with measuring_memory(pids, every=1.0) as memory:
            rounds = [await run_round(system, target, arguments, console) for _ in range(arguments.rounds)]
    return rounds, list(goal_rows(rounds, memory.mebibytes()))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.overload_goals", description="Measure the goals under overload."
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of peak and overload (%(default)s)")
    parser.add_argument("--seconds", type=float, default=6.0, help="seconds of each overload (%(default)s)")
    parser.add_argument("--peak-seconds", type=float, default=1.5, help="seconds of each closed loop (%(default)s)")
    parser.add_argument("--connections", type=int, default=600, help="connections of the overload (%(default)s)")
    parser.add_argument("--times", type=float, default=4.0, help="offered load in peaks (%(default)s)")
    parser.add_argument("--json", type=Path, default=Path("bench-overload.json"), help="output file (%(default)s)")
    arguments = parser.parse_args()
    console = Console(width=140)
    rounds, rows = asyncio.run(bench(arguments, console))
    print_table(rows, console)
    write_json(rows, arguments.json, rounds=[each.to_json() for each in rounds])


if __name__ == "__main__":
    main()
