"""What the design promises about speed, each figure with its floor measured in the same run.

    python -m tests.bench [--rows 200000] [--rounds 5] [--imports 2] [--seconds 1.5] [--json bench.json]

Runs a stack of its own on 127.0.0.1 and stops it. Medians; the machine's noise is the reason to read the ratios, which
are taken within each round, and not the figures.
"""

import argparse
import asyncio
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from tests.bench.calls import WORKS, open_door
from tests.bench.echo_floor import echo_running
from tests.bench.imports import rounds_of_imports, rows_of_imports
from tests.bench.measure import Sample, keep_calling
from tests.bench.report import Row, show, write
from tests.bench.system import System, running_system

_CPU_GOALS = dict(zip(WORKS, (2.5, 4.0, 3.0), strict=True))
_REST_GOAL = 0.5

Samples = Mapping[tuple[str, str], Sequence[Sample]]
"""By way (echo, gRPC, REST) and work."""


async def calls(system: System, *, rounds: int, seconds: float, console: Console) -> Samples:
    """Calls the echo, the service and the gateway in turn, round by round."""
    samples: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
    door, page = await open_door(system.token, system.tasks_target)
    async with echo_running(system, page) as echo:
        ways = {
            "echo": (partial(door.by_grpc, echo.target), {"server": echo.pid}),
            "gRPC": (partial(door.by_grpc, system.tasks_target), {"server": system.pids["task_service"]}),
            "REST": (partial(door.by_rest, system.gateway_url), {}),
        }
        for turn in range(rounds + 1):
            for work in WORKS:
                for way, (entered, pids) in ways.items():
                    async with entered() as callers:
                        sample = await keep_calling(callers[work], seconds=seconds, pids=pids)
                    if turn:  # the first one warms up
                        samples[way, work].append(sample)
            console.log(f"calls: round {turn} of {rounds}" if turn else "calls: warmed up")
    return samples


def rows_of_calls(samples: Samples) -> Iterator[Row]:
    for work in WORKS:
        echo, grpc = samples["echo", work], samples["gRPC", work]
        yield _row(f"gRPC {work}, CPU", "ms", grpc, echo, lambda s: s.cpu_ms("server"), "echo", "<=", _CPU_GOALS[work])
    for work in WORKS:
        grpc, rest = samples["gRPC", work], samples["REST", work]
        yield _row(f"REST {work}", "a second", rest, grpc, lambda s: s.rate, "gRPC", ">=", _REST_GOAL)


def _row(
    work: str,
    unit: str,
    ours: Sequence[Sample],
    floor: Sequence[Sample],
    figure: Callable[[Sample], float],
    floor_is: str,
    sign: str,
    goal: float,
) -> Row:
    return Row(
        work=work,
        unit=unit,
        value=statistics.median(map(figure, ours)),
        floor=statistics.median(map(figure, floor)),
        floor_is=floor_is,
        ratio=statistics.median(figure(a) / figure(b) for a, b in zip(ours, floor, strict=True)),
        sign=sign,
        goal=goal,
    )


async def bench(arguments: argparse.Namespace, console: Console) -> list[Row]:
    async with running_system(console.log) as system:
        samples = await calls(system, rounds=arguments.rounds, seconds=arguments.seconds, console=console)
        imports = await rounds_of_imports(system, rows=arguments.rows, rounds=arguments.imports, announce=console.log)
    return [*rows_of_calls(samples), *rows_of_imports(imports)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="The speed that the design promises.")
    parser.add_argument("--rows", type=int, default=200_000, help="of the CSV file (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of calls (default: %(default)s)")
    parser.add_argument("--imports", type=int, default=2, help="imports and copies (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each loop of calls (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="(default: %(default)s)")
    arguments = parser.parse_args()
    console = Console(width=120)
    rows = asyncio.run(bench(arguments, console))
    show(rows, console)
    write(rows, arguments.json)


if __name__ == "__main__":
    main()
