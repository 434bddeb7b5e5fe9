"""Throughput of one and of two processes of each kind, and the arithmetic for 16 cores.

    python -m tests.bench.cores [--sizes 1 2] [--rounds 4] [--seconds 3] [--connections 16] [--json bench-cores.json]

A stack of size N has N gateways and N processes of auth_service and task_service. The stacks run beside each other and
get the load in turn, in a closed loop of four users. The generator is a process of its own on the same machine.
"""

import argparse
import asyncio
import base64
import json
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import psutil
from rich.console import Console
from rich.table import Table

from deploy.local.config.options import Options
from deploy.local.demo.rest_client import RestClient
from deploy.local.stack import Announce, running_stack
from tests.bench.calls import OPERATIONS, BenchClient, open_client
from tests.bench.capacity import cpu_by_process
from tests.bench.load_generator import Load, generate_load
from tests.bench.system import PASSWORD, System

GROUPS = ("gateway", "task_service", "auth_service", "postgres")

_USERS = 4
_REQUESTS_OF_A_USER = 16
_MIX = dict(zip(OPERATIONS, (0.7, 0.2, 0.1), strict=True))
"""Assumed by docs/scaling.md."""
_CORES = 16
_UTILIZATION = 0.7
"""Part of a core that a process is planned to use: the rest is for peaks."""


@dataclass(frozen=True)
class Sample:
    """One closed loop of one operation."""

    rate: float
    cores_by_process: Mapping[str, float]
    generator_cores: float
    machine: float
    """Busy part of all cores, of whatever process."""

    def cores(self, group: str) -> float:
        """Return the cores that all processes of a kind used together."""
        return sum(cores for name, cores in self.cores_by_process.items() if _group_of(name) == group)

    def cpu_ms(self, group: str) -> float:
        """Return the CPU milliseconds of a call in the processes of a kind."""
        return self.cores(group) * 1000 / self.rate

    @property
    def busiest(self) -> tuple[str, float]:
        """The process of Python that used most of its core: it can't use more than one."""
        return max(
            ((name, cores) for name, cores in self.cores_by_process.items() if name != "postgres"),
            key=lambda item: item[1],
        )


Samples = Mapping[tuple[str, int], Sequence[Sample]]
"""Samples by operation and size of the stack."""


def _group_of(process: str) -> str:
    """Return the name of a process without the number of a replica."""
    return process.rpartition("-")[0] if process[-1].isdigit() else process


@asynccontextmanager
async def running_stack_of(size: int, announce: Announce) -> AsyncIterator[tuple[System, list[BenchClient]]]:
    """Run a stack with that number of processes of each kind, and users with tasks."""
    with TemporaryDirectory(prefix="taskmanager-cores-") as folder:
        options = Options(data_dir=Path(folder), replicas=size, gateways=size, workers=size)
        async with running_stack(options, announce=announce) as stack, RestClient(stack.endpoints.gateway_url) as rest:
            clients = []
            for number in range(_USERS):
                email = f"cores-{number}@example.com"
                await rest.register(f"cores-{number}", email, PASSWORD)
                token = (await rest.login(email, PASSWORD))["access_token"]
                clients.append((await open_client(token, stack.endpoints.tasks_target))[0])
            yield System(stack, Path(folder), clients[0].token, rest), clients


async def measure(
    system: System, clients: Sequence[BenchClient], operation: str, *, connections: int, seconds: float
) -> Sample:
    """Load the stack. Raise AssertionError if a request fails."""
    target = urlsplit(system.gateway_url)
    requests = [request for client in clients for request in client.requests(operation, _REQUESTS_OF_A_USER)]
    encoded = [base64.b64encode(request).decode() for request in requests]
    began, before, busy_before = time.perf_counter(), cpu_by_process(system), _busy_seconds()
    outcome = await generate_load(Load(target.hostname or "", target.port or 0, encoded, connections, seconds))
    elapsed, after, busy = time.perf_counter() - began, cpu_by_process(system), _busy_seconds() - busy_before
    assert set(outcome.statuses) <= {"200", "201"}, outcome.statuses
    # The generator starts Python first. Divided by the time of the load alone, the CPU is that of the calls.
    scale = 1 / outcome.elapsed_seconds
    return Sample(
        rate=sum(outcome.statuses.values()) / outcome.elapsed_seconds,
        cores_by_process={name: (after[name] - before[name]) * scale for name in after},
        generator_cores=outcome.cpu_seconds / outcome.elapsed_seconds,
        machine=busy / elapsed / (psutil.cpu_count() or 1),
    )


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


async def bench(arguments: argparse.Namespace, console: Console) -> Samples:
    samples: defaultdict[tuple[str, int], list[Sample]] = defaultdict(list)
    async with AsyncExitStack() as exits:
        stacks = {
            size: await exits.enter_async_context(running_stack_of(size, console.log)) for size in arguments.sizes
        }
        for round_number in range(arguments.rounds + 1):
            for operation in OPERATIONS:
                for size, (system, clients) in stacks.items():
                    sample = await measure(
                        system, clients, operation, connections=arguments.connections, seconds=arguments.seconds
                    )
                    if round_number:  # round 0 is the warm-up
                        samples[operation, size].append(sample)
            console.log(f"round {round_number} of {arguments.rounds}" if round_number else "warmed up")
    return samples


def print_throughput(samples: Samples, console: Console) -> None:
    """Print the rates, the cores that each kind of process used, and its busiest process."""
    table = Table("operation", "of each", "a second", "of one", *GROUPS, "generator", "machine", "busiest process")
    for (operation, size), each in samples.items():
        ones = samples.get((operation, 1), each)
        name, cores = max((sample.busiest for sample in each), key=lambda busiest: busiest[1])
        table.add_row(
            operation,
            str(size),
            f"{_median(sample.rate for sample in each):,.0f}",
            f"{_median(a.rate / b.rate for a, b in zip(each, ones, strict=True)):.2f}x",
            *(f"{_median(sample.cores(group) for sample in each):.2f}" for group in GROUPS),
            f"{_median(sample.generator_cores for sample in each):.2f}",
            f"{_median(sample.machine for sample in each):.0%}",
            f"{name} {cores:.2f}",
        )
    console.print(table)


def print_plan(samples: Samples, size: int, console: Console) -> None:
    """Print the CPU of a call in each kind of process, and the processes that 16 cores hold."""
    table = Table(
        "operation",
        *(f"{group}, ms" for group in GROUPS),
        f"a second on {_CORES} cores",
        "gateways",
        "task_services",
        "cores of Postgres",
    )
    costs_by_operation = {
        operation: {group: _median(sample.cpu_ms(group) for sample in samples[operation, size]) for group in GROUPS}
        for operation in OPERATIONS
    }
    mix = {
        group: sum(part * costs_by_operation[operation][group] for operation, part in _MIX.items()) for group in GROUPS
    }
    for name, costs in {**costs_by_operation, "mix": mix}.items():
        rate = _CORES * _UTILIZATION * 1000 / sum(costs.values())
        processes = {group: rate * cost / 1000 / _UTILIZATION for group, cost in costs.items()}
        table.add_row(
            name,
            *(f"{cost:.2f}" for cost in costs.values()),
            f"{rate:,.0f}",
            f"{processes['gateway']:.1f}",
            f"{processes['task_service']:.1f}",
            f"{processes['postgres']:.1f}",
        )
    console.print(table)


def write_json(samples: Samples, file: Path) -> None:
    rows = [
        {
            "operation": operation,
            "size": size,
            "rates": [sample.rate for sample in each],
            "cores": {group: _median(sample.cores(group) for sample in each) for group in GROUPS},
            "cpu_ms": {group: _median(sample.cpu_ms(group) for sample in each) for group in GROUPS},
            "cores_by_process": [dict(sample.cores_by_process) for sample in each],
            "generator_cores": [sample.generator_cores for sample in each],
            "machine": [sample.machine for sample in each],
        }
        for (operation, size), each in samples.items()
    ]
    file.write_text(json.dumps({"rows": rows}, indent=2) + "\n", encoding="utf-8")


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cores", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2], help="processes of each kind (1 2)")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of each stack (%(default)s)")
    parser.add_argument("--seconds", type=float, default=3, help="seconds of each load (%(default)s)")
    parser.add_argument("--connections", type=int, default=16, help="connections (%(default)s)")
    parser.add_argument("--json", type=Path, default=Path("bench-cores.json"), help="output file (%(default)s)")
    arguments = parser.parse_args()
    console = Console(width=150)
    samples = asyncio.run(bench(arguments, console))
    print_throughput(samples, console)
    print_plan(samples, min(arguments.sizes), console)
    write_json(samples, arguments.json)


if __name__ == "__main__":
    main()
