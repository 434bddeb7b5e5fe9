"""task_service on psycopg's pool, compared with the same service on SQLAlchemy's async engine.

    python -m tests.bench.sql [--rounds 12] [--seconds 1]

Both run side by side on one database, each behind its own gateway, and are called alternately within each round.
"""

import argparse
import asyncio
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from rich.console import Console
from rich.table import Table

from deploy.local.host.free_ports import HOST, find_free_port
from deploy.local.supervision.probes import grpc_is_serving, http_is_ok
from tests.bench.calls import OPERATIONS, open_client
from tests.bench.echo_floor import running_echo
from tests.bench.measure import Sample, measure_calls
from tests.bench.system import System, running_system

POOL, ENGINE = "psycopg's pool", "SQLAlchemy's engine"

Figure = Callable[[Sample], float]


@dataclass(frozen=True)
class Variant:
    """One task_service and one gateway in front of it."""

    target: str
    url: str
    pids: Mapping[str, int]


async def start_engine_variant(system: System, stack: AsyncExitStack) -> Variant:
    """Start the variant on SQLAlchemy's engine; the stack runs the other one."""
    target, gateway = f"{HOST}:{find_free_port()}", f"{HOST}:{find_free_port()}"
    service = await stack.enter_async_context(
        system.sibling(
            "tests.bench.engine_service",
            like="task_service",
            ready=partial(grpc_is_serving, target),
            TASKS_LISTEN=target,
        )
    )
    url = f"http://{gateway}"
    gateway_pid = await stack.enter_async_context(
        system.sibling(
            "gateway",
            like="gateway",
            ready=partial(http_is_ok, f"{url}/readyz"),
            GATEWAY_LISTEN=gateway,
            GATEWAY_TASKS_TARGET=target,
        )
    )
    return Variant(target, url, {"task_service": service, "gateway": gateway_pid})


async def compare(*, rounds: int, seconds: float, console: Console) -> None:
    samples: defaultdict[tuple[str, str, str], list[Sample]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        system = await stack.enter_async_context(running_system(console.log))
        variants = {
            POOL: Variant(system.tasks_target, system.gateway_url, system.pids),
            ENGINE: await start_engine_variant(system, stack),
        }
        client, page = await open_client(system.token, system.tasks_target)
        echo = await stack.enter_async_context(running_echo(system, page))
        targets = [("echo", "gRPC", partial(client.by_grpc, echo.target), {"task_service": echo.pid})]
        for name, variant in variants.items():
            targets += [
                (name, "gRPC", partial(client.by_grpc, variant.target), dict(variant.pids)),
                (name, "REST", partial(client.by_rest, variant.url), dict(variant.pids)),
            ]
        for round_number in range(rounds + 1):
            for operation in OPERATIONS:
                for name, protocol, open_callers, pids in targets if round_number % 2 else reversed(targets):
                    async with open_callers() as callers:
                        sample = await measure_calls(callers[operation], seconds=seconds, pids=pids)
                    if round_number:  # round 0 is the warm-up
                        samples[name, protocol, operation].append(sample)
            console.log(f"round {round_number} of {rounds}")
    console.print(_table(samples))


def _table(samples: Mapping[tuple[str, str, str], list[Sample]]) -> Table:
    """Return a table of medians. The saving is the median of the ratios within each round."""
    table = Table("milliseconds a call", *OPERATIONS, title=f"task_service on {POOL} and on {ENGINE}", box=None)

    def medians(variant: str, protocol: str, figure: Figure) -> list[float]:
        return [statistics.median(map(figure, samples[variant, protocol, operation])) for operation in OPERATIONS]

    def row(label: str, values: Iterable[float], form: str = ".2f") -> None:
        table.add_row(label, *(format(value, form) for value in values))

    def compare(label: str, protocol: str, figure: Figure) -> None:
        for variant in (POOL, ENGINE):
            row(f"{label}, {variant}", medians(variant, protocol, figure))
        saved = [
            [
                1 - figure(a) / figure(b)
                for a, b in zip(samples[POOL, protocol, operation], samples[ENGINE, protocol, operation], strict=True)
            ]
            for operation in OPERATIONS
        ]
        row(f"{label}, saved by the pool", map(statistics.median, saved), ".0%")

    row("gRPC, CPU, echo", medians("echo", "gRPC", lambda sample: sample.cpu_ms("task_service")))
    compare("gRPC, CPU of task_service", "gRPC", lambda sample: sample.cpu_ms("task_service"))
    compare("REST, CPU of gateway and task_service", "REST", lambda sample: sample.cpu_ms("gateway", "task_service"))
    compare("REST, 1 / (requests a second)", "REST", lambda sample: 1000 / sample.rate)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sql", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=1, help="of each measurement (default: %(default)s)")
    arguments = parser.parse_args()
    asyncio.run(compare(rounds=arguments.rounds, seconds=arguments.seconds, console=Console(width=120)))


if __name__ == "__main__":
    main()
