"""What the design promises about imports, each figure beside a floor of the same run.

    python -m tests.bench.import_goals [--rows 200000] [--imports 2] [--memory-rows 1000000] [--grown-rows 2000000]
        [--step-rows 100000] [--seconds 10] [--json bench-import.json]

Each part runs on a system of its own on 127.0.0.1, which is stopped then: none finds the tables, the caches or the
memory as another one left them.
"""

import argparse
import asyncio
import statistics
from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from tests.bench.calls import open_door
from tests.bench.imports import (
    good_sample,
    import_once,
    import_watched,
    rounds_of_imports,
    row_of_memory,
    rows_of_imports,
)
from tests.bench.measure import Call, latencies
from tests.bench.report import Row, show, write
from tests.bench.system import running_system

_GROWTH_GOAL = 1.3
_P99_GOAL = 5.0
_CALLERS = 4
_PAUSE_SECONDS = 0.01
_MICROSECONDS = 1e6


async def pace(rows: int, imports: int, console: Console) -> list[Row]:
    """Rows a second against `\\copy` of the same rows into the same two tables."""
    async with running_system(console.log) as system:
        return list(rows_of_imports(await rounds_of_imports(system, rows=rows, rounds=imports, announce=console.log)))


async def memory(rows: int, console: Console) -> list[Row]:
    """What each process holds at most during an import, above what it held before it."""
    sample = good_sample(rows)
    async with running_system(console.log) as system:
        seconds, taken = await import_watched(system, sample)
    console.log(f"memory: {rows:,} rows in {seconds:.1f} s")
    return [row_of_memory(name, mebibytes, rows) for name, mebibytes in taken.items()]


async def growth(rows: int, step: int, console: Console) -> list[Row]:
    """What a row costs when the tables are nearly full, against what it costs when they are empty."""
    sample = good_sample(step)
    costs = []
    async with running_system(console.log) as system:
        await import_once(system, good_sample(step // 10))  # the first ever would make the floor look bad
        for done in range(step, rows + 1, step):
            costs.append(await import_once(system, sample) / step * _MICROSECONDS)
            console.log(f"growth: {costs[-1]:.1f} us a row up to {done:,}")
    return list(_rows_of_growth(costs, step, rows))


def _rows_of_growth(costs: Sequence[float], step: int, rows: int) -> Iterator[Row]:
    # Not the last step alone: Postgres's checkpoints and vacuums make some steps dearer than others, full table or not.
    quarter = max(1, len(costs) // 4)
    last = f"a row, the last {quarter * step:,} of {rows:,}"
    for work, found in ((last, costs[-quarter:]), ("a row, the median step", costs)):
        cost = statistics.median(found)
        yield Row(work, "us", cost, costs[0], f"the first {step:,}", cost / costs[0], "<=", _GROWTH_GOAL)


async def calls_meanwhile(rows: int, seconds: float, console: Console) -> list[Row]:
    """The 99th percentile of GetTask during an import, against the same while nothing else goes on."""
    sample = good_sample(rows)
    async with running_system(console.log) as system:
        door, _ = await open_door(system.token, system.tasks_target)
        async with door.by_grpc(system.tasks_target) as callers:
            calls = callers["GetTask"][:_CALLERS]
            await _p99(calls, asyncio.sleep(1))  # warms up
            idle = await _p99(calls, asyncio.sleep(seconds))
            during = await _p99(calls, import_once(system, sample))
    console.log(f"calls: p99 {idle:.2f} ms idle, {during:.2f} ms during an import of {rows:,} rows")
    return [Row("p99 of GetTask during an import", "ms", during, idle, "idle", during / idle, "<=", _P99_GOAL)]


async def _p99(calls: Sequence[Call], work: Awaitable[object]) -> float:
    """Milliseconds of the slowest hundredth of the calls while some work goes on."""
    found = await latencies(calls, during=work, pause=_PAUSE_SECONDS)
    return statistics.quantiles(found, n=100)[98] * 1000


async def bench(arguments: argparse.Namespace, console: Console) -> list[Row]:
    return [
        *await pace(arguments.rows, arguments.imports, console),
        *await memory(arguments.memory_rows, console),
        *await growth(arguments.grown_rows, arguments.step_rows, console),
        *await calls_meanwhile(arguments.rows, arguments.seconds, console),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.import_goals", description="What imports promise.")
    parser.add_argument("--rows", type=int, default=200_000, help="against \\copy, and during calls (%(default)s)")
    parser.add_argument("--imports", type=int, default=2, help="imports and copies (%(default)s)")
    parser.add_argument("--memory-rows", type=int, default=1_000_000, help="of the file for memory (%(default)s)")
    parser.add_argument("--grown-rows", type=int, default=2_000_000, help="that the tables grow to (%(default)s)")
    parser.add_argument("--step-rows", type=int, default=100_000, help="of each import on the way there (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of calls while idle (%(default)s)")
    parser.add_argument("--json", type=Path, default=Path("bench-import.json"), help="(%(default)s)")
    arguments = parser.parse_args()
    console = Console(width=120)
    rows = asyncio.run(bench(arguments, console))
    show(rows, console)
    write(rows, arguments.json)


if __name__ == "__main__":
    main()
