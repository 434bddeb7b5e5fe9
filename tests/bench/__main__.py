"""Speed goals, each figure with a floor measured in the same run.

    python -m tests.bench [--rows 200000] [--rounds 5] [--imports 2] [--seconds 1.5] [--json bench.json]

Starts a stack on 127.0.0.1 and stops it. Figures are medians. Compare the ratios, which are taken within each round:
the figures themselves vary with the load of the machine.
"""

import argparse
import asyncio
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from tests.bench.calls import OPERATIONS, open_client
from tests.bench.echo_floor import running_echo
from tests.bench.imports import PLAIN_FILE, PLAIN_FILE_GOAL, import_rows, measure_imports, valid_sample
from tests.bench.measure import Sample, measure_calls
from tests.bench.report import Row, print_table, write_json
from tests.bench.system import System, running_system

_CPU_GOALS = dict(zip(OPERATIONS, (2.5, 4.0, 3.0), strict=True))
_REST_GOAL = 0.5

Samples = Mapping[tuple[str, str], Sequence[Sample]]
"""Samples by protocol (echo, gRPC, REST) and operation."""


async def calls(system: System, *, rounds: int, seconds: float, console: Console) -> Samples:
    """Call the echo server, the service and the gateway alternately, round by round."""
    samples: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
    client, page = await open_client(system.token, system.tasks_target)
    async with running_echo(system, page) as echo:
        protocols = {
            "echo": (partial(client.by_grpc, echo.target), {"server": echo.pid}),
            "gRPC": (partial(client.by_grpc, system.tasks_target), {"server": system.pids["task_service"]}),
            "REST": (partial(client.by_rest, system.gateway_url), {}),
        }
        for round_number in range(rounds + 1):
            for operation in OPERATIONS:
                for protocol, (open_callers, pids) in protocols.items():
                    async with open_callers() as callers:
                        sample = await measure_calls(callers[operation], seconds=seconds, pids=pids)
                    if round_number:  # round 0 is the warm-up
                        samples[protocol, operation].append(sample)
            console.log(f"calls: round {round_number} of {rounds}" if round_number else "calls: warmed up")
    return samples


def call_rows(samples: Samples) -> Iterator[Row]:
    for operation in OPERATIONS:
        echo, grpc = samples["echo", operation], samples["gRPC", operation]
        yield _row(
            f"gRPC {operation}, CPU",
            "ms",
            grpc,
            echo,
            lambda s: s.cpu_ms("server"),
            "echo",
            "<=",
            _CPU_GOALS[operation],
        )
    for operation in OPERATIONS:
        grpc, rest = samples["gRPC", operation], samples["REST", operation]
        yield _row(f"REST {operation}", "a second", rest, grpc, lambda s: s.rate, "gRPC", ">=", _REST_GOAL)


def _row(
    operation: str,
    unit: str,
    ours: Sequence[Sample],
    floor: Sequence[Sample],
    figure: Callable[[Sample], float],
    floor_name: str,
    comparison: str,
    goal: float,
) -> Row:
    return Row(
        operation=operation,
        unit=unit,
        value=statistics.median(map(figure, ours)),
        floor=statistics.median(map(figure, floor)),
        floor_name=floor_name,
        ratio=statistics.median(figure(a) / figure(b) for a, b in zip(ours, floor, strict=True)),
        comparison=comparison,
        goal=goal,
    )


async def bench(arguments: argparse.Namespace, console: Console) -> list[Row]:
    async with running_system(console.log) as system:
        samples = await calls(system, rounds=arguments.rounds, seconds=arguments.seconds, console=console)
        sample = valid_sample(arguments.rows)
        imports = await measure_imports(system, sample, rounds=arguments.imports, announce=console.log)
    return [*call_rows(samples), *import_rows(imports, file=PLAIN_FILE, goal=PLAIN_FILE_GOAL)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the speed goals.")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the CSV file (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of calls (default: %(default)s)")
    parser.add_argument("--imports", type=int, default=2, help="imports and copies (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=1.5, help="seconds of each loop of calls (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="output file (default: %(default)s)")
    arguments = parser.parse_args()
    console = Console(width=120)
    rows = asyncio.run(bench(arguments, console))
    print_table(rows, console)
    write_json(rows, arguments.json)


if __name__ == "__main__":
    main()
