"""The SQL decision: task_service on psycopg's own pool against the same service on SQLAlchemy's async engine.

    python -m tests.bench.sql [--rounds 12] [--seconds 1]

Both run side by side, each behind a gateway of its own, on one database, and are called in turn within each round.
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

from deploy.local.ports import HOST, free_port
from deploy.local.probes import grpc_serves, http_ok
from tests.bench.calls import WORKS, open_door
from tests.bench.echo_floor import echo_running
from tests.bench.measure import Sample, keep_calling
from tests.bench.system import System, running_system

POOL, ENGINE = "psycopg's pool", "SQLAlchemy's engine"

Figure = Callable[[Sample], float]


@dataclass(frozen=True)
class Variant:
    """One task_service and one gateway in front of it."""

    target: str
    url: str
    pids: Mapping[str, int]


async def on_engine(system: System, stack: AsyncExitStack) -> Variant:
    """Starts the variant that the stack itself does not have."""
    target, gateway = f"{HOST}:{free_port()}", f"{HOST}:{free_port()}"
    service = await stack.enter_async_context(
        system.sibling(
            "tests.bench.engine_service", like="task_service", ready=partial(grpc_serves, target), TASKS_LISTEN=target
        )
    )
    url = f"http://{gateway}"
    edge = await stack.enter_async_context(
        system.sibling(
            "gateway",
            like="gateway",
            ready=partial(http_ok, f"{url}/readyz"),
            GATEWAY_LISTEN=gateway,
            GATEWAY_TASKS_TARGET=target,
        )
    )
    return Variant(target, url, {"task_service": service, "gateway": edge})


async def compare(*, rounds: int, seconds: float, console: Console) -> None:
    samples: defaultdict[tuple[str, str, str], list[Sample]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        system = await stack.enter_async_context(running_system(console.log))
        variants = {
            POOL: Variant(system.tasks_target, system.gateway_url, system.pids),
            ENGINE: await on_engine(system, stack),
        }
        door, page = await open_door(system.token, system.tasks_target)
        echo = await stack.enter_async_context(echo_running(system, page))
        doors = [("echo", "gRPC", partial(door.by_grpc, echo.target), {"task_service": echo.pid})]
        for name, variant in variants.items():
            doors += [
                (name, "gRPC", partial(door.by_grpc, variant.target), dict(variant.pids)),
                (name, "REST", partial(door.by_rest, variant.url), dict(variant.pids)),
            ]
        for turn in range(rounds + 1):
            for work in WORKS:
                for name, way, entered, pids in doors if turn % 2 else reversed(doors):
                    async with entered() as callers:
                        sample = await keep_calling(callers[work], seconds=seconds, pids=pids)
                    if turn:  # the first one warms up
                        samples[name, way, work].append(sample)
            console.log(f"round {turn} of {rounds}")
    console.print(_table(samples))


def _table(samples: Mapping[tuple[str, str, str], list[Sample]]) -> Table:
    """Medians. What is saved is the median over the rounds of one variant's figure against the other's in it."""
    table = Table("milliseconds a call", *WORKS, title=f"task_service on {POOL} and on {ENGINE}", box=None)

    def medians(variant: str, way: str, figure: Figure) -> list[float]:
        return [statistics.median(map(figure, samples[variant, way, work])) for work in WORKS]

    def row(label: str, values: Iterable[float], form: str = ".2f") -> None:
        table.add_row(label, *(format(value, form) for value in values))

    def compare(label: str, way: str, figure: Figure) -> None:
        for variant in (POOL, ENGINE):
            row(f"{label}, {variant}", medians(variant, way, figure))
        saved = [
            [
                1 - figure(a) / figure(b)
                for a, b in zip(samples[POOL, way, work], samples[ENGINE, way, work], strict=True)
            ]
            for work in WORKS
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
