"""Goals for imports, each figure with a floor of the same run.

    python -m tests.bench.import_goals [--rows 200000] [--imports 2] [--memory-rows 1000000] [--grown-rows 2000000]
        [--step-rows 100000] [--seconds 10] [--ingest-processes 1] [--json bench-import.json]

Each part starts a new system on 127.0.0.1 and stops it, so that no part depends on the tables, caches or memory of
another.
"""

import argparse
import asyncio
import statistics
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

from rich.console import Console

from tests.bench.calls import open_client
from tests.bench.imports import (
    PLAIN_FILE,
    PLAIN_FILE_GOAL,
    import_measuring_memory,
    import_once,
    import_rows,
    measure_imports,
    memory_row,
    valid_sample,
)
from tests.bench.jira_sample import make_jira_sample
from tests.bench.measure import Call, latencies
from tests.bench.report import Row, print_table, write_json
from tests.bench.system import System, running_system

_MAPPED_FILE_GOAL = 0.5
_GROWTH_GOAL = 1.3
_P99_GOAL = 5.0
_CALLERS = 4
_PAUSE_SECONDS = 0.01
_MICROSECONDS = 1e6

Start = Callable[[], AbstractAsyncContextManager[System]]


async def speed(start: Start, rows: int, imports: int, console: Console) -> list[Row]:
    """Measure rows per second, compared with `\\copy` of the same rows into the same two tables."""
    found: list[Row] = []
    for file, sample, goal in (
        (PLAIN_FILE, valid_sample(rows), PLAIN_FILE_GOAL),
        ("a mapped Jira file", make_jira_sample(rows), _MAPPED_FILE_GOAL),
    ):
        async with start() as system:
            rounds = await measure_imports(system, sample, rounds=imports, announce=console.log)
        found += import_rows(rounds, file=file, goal=goal)
    return found


async def memory(start: Start, rows: int, console: Console) -> list[Row]:
    """Measure the maximum memory of each process during an import, above its initial memory."""
    sample = valid_sample(rows)
    async with start() as system:
        seconds, mebibytes_by_process = await import_measuring_memory(system, sample)
    console.log(f"memory: {rows:,} rows in {seconds:.1f} s")
    return [memory_row(name, mebibytes, f"{rows:,} rows") for name, mebibytes in mebibytes_by_process.items()]


async def growth(start: Start, rows: int, step: int, console: Console) -> list[Row]:
    """Measure the time of a row in nearly full tables, compared with empty tables."""
    sample = valid_sample(step)
    costs = []
    async with start() as system:
        await import_once(system, valid_sample(step // 10))  # the very first import is slow and would distort the floor
        for done in range(step, rows + 1, step):
            costs.append(await import_once(system, sample) / step * _MICROSECONDS)
            console.log(f"growth: {costs[-1]:.1f} us a row up to {done:,}")
    return list(_growth_rows(costs, step, rows))


def _growth_rows(costs: Sequence[float], step: int, rows: int) -> Iterator[Row]:
    # The last quarter, because checkpoints and vacuums slow down single steps, whether the table is full or not.
    quarter = max(1, len(costs) // 4)
    last = f"a row, the last {quarter * step:,} of {rows:,}"
    for work, durations in ((last, costs[-quarter:]), ("a row, the median step", costs)):
        cost = statistics.median(durations)
        yield Row(work, "us", cost, costs[0], f"the first {step:,}", cost / costs[0], "<=", _GROWTH_GOAL)


async def calls_during_import(start: Start, rows: int, seconds: float, console: Console) -> list[Row]:
    """Measure the 99th percentile of GetTask during an import, compared with an idle system."""
    sample = valid_sample(rows)
    async with start() as system:
        client, _ = await open_client(system.token, system.tasks_target)
        async with client.by_grpc(system.tasks_target) as callers:
            calls = callers["GetTask"][:_CALLERS]
            await _p99(calls, asyncio.sleep(1))  # warm-up
            idle = await _p99(calls, asyncio.sleep(seconds))
            during = await _p99(calls, import_once(system, sample))
    console.log(f"calls: p99 {idle:.2f} ms idle, {during:.2f} ms during an import of {rows:,} rows")
    return [Row("p99 of GetTask during an import", "ms", during, idle, "idle", during / idle, "<=", _P99_GOAL)]


async def _p99(calls: Sequence[Call], work: Awaitable[object]) -> float:
    """Return the 99th percentile of the calls in milliseconds while `work` runs."""
    durations = await latencies(calls, during=work, pause=_PAUSE_SECONDS)
    return statistics.quantiles(durations, n=100)[98] * 1000


async def bench(arguments: argparse.Namespace, console: Console) -> list[Row]:
    start = partial(running_system, console.log, ingest_processes=arguments.ingest_processes)
    return [
        *await speed(start, arguments.rows, arguments.imports, console),
        *await memory(start, arguments.memory_rows, console),
        *await growth(start, arguments.grown_rows, arguments.step_rows, console),
        *await calls_during_import(start, arguments.rows, arguments.seconds, console),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.import_goals", description="Measure the goals for imports."
    )
    parser.add_argument(
        "--rows", type=int, default=200_000, help="rows of the files for \\copy and for calls (%(default)s)"
    )
    parser.add_argument("--imports", type=int, default=2, help="imports and copies (%(default)s)")
    parser.add_argument("--memory-rows", type=int, default=1_000_000, help="rows of the file for memory (%(default)s)")
    parser.add_argument("--grown-rows", type=int, default=2_000_000, help="rows to which the tables grow (%(default)s)")
    parser.add_argument(
        "--step-rows", type=int, default=100_000, help="rows of each import on the way there (%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of calls while idle (%(default)s)")
    parser.add_argument("--ingest-processes", type=int, default=1, help="processes for imports alone (%(default)s)")
    parser.add_argument("--json", type=Path, default=Path("bench-import.json"), help="output file (%(default)s)")
    arguments = parser.parse_args()
    console = Console(width=120)
    rows = asyncio.run(bench(arguments, console))
    print_table(rows, console)
    write_json(rows, arguments.json)


if __name__ == "__main__":
    main()
