"""Figures for docs/scaling.md: CPU of each process for a REST call, and bytes of a task and of its event.

    python -m tests.bench.capacity [--rows 200000] [--rounds 3] [--seconds 2]

Starts a stack on 127.0.0.1 and stops it. The rows come from an import, which writes them by COPY.
"""

import argparse
import asyncio
import statistics
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress

import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from tests.bench.calls import CONCURRENT_CALLERS, OPERATIONS, open_client
from tests.bench.imports import import_once, valid_sample
from tests.bench.measure import cpu_seconds, measure_calls
from tests.bench.system import PASSWORD, System, running_system

PROCESSES = ("gateway", "auth_service", "task_service", "import_worker-1", "postgres")
TABLES = ("tasks", "task_events")

_PARTS = """
SELECT c.relname AS "table", 'table and its TOAST' AS part,
       pg_relation_size(c.oid) + CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_total_relation_size(c.reltoastrelid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'tasks' AND c.relname = ANY(%(tables)s)
UNION ALL
SELECT t.relname, 'index ' || i.relname, pg_relation_size(i.oid)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = 'tasks' AND t.relname = ANY(%(tables)s)
ORDER BY 1, 2
"""


def cpu_by_process(system: System) -> Mapping[str, float]:
    """Return the CPU seconds of each process so far, with those of its children."""
    return {name: sum(_times(pid)) for name, pid in system.pids.items() if name != "redis"}


def _times(pid: int) -> Iterator[float]:
    process = psutil.Process(pid)
    yield cpu_seconds(pid)
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a worker of autovacuum, for example, that has just ended
            yield cpu_seconds(child.pid)


async def call_costs(system: System, *, rounds: int, seconds: float) -> Mapping[str, Mapping[str, float]]:
    """Return the CPU milliseconds of each process for a call, by operation: medians of the rounds."""
    client, _ = await open_client(system.token, system.tasks_target)
    costs: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    async def log_in() -> None:
        await system.rest.login(email, PASSWORD)

    account = await system.rest.register("capacity", "capacity@example.com", PASSWORD)
    email = account["email"]
    async with client.by_rest(system.gateway_url) as callers:
        calls: dict[str, list[Callable[[], Awaitable[object]]]] = {
            **{operation: list(callers[operation]) for operation in OPERATIONS},
            "Login": [log_in],
        }
        for round_number in range(rounds + 1):
            for operation, each in calls.items():
                before = cpu_by_process(system)
                sample = await measure_calls(each[:CONCURRENT_CALLERS], seconds=seconds, pids={})
                after = cpu_by_process(system)
                if round_number:  # round 0 is the warm-up
                    for name in PROCESSES:
                        costs[operation][name].append((after[name] - before[name]) * 1000 / sample.calls)
    return {
        operation: {name: statistics.median(values) for name, values in by_process.items()}
        for operation, by_process in costs.items()
    }


async def row_costs(system: System, rows: int) -> tuple[Mapping[str, float], list[tuple[str, str, int]], int]:
    """Import rows; return the CPU of each process, the bytes of each part of the tables, and the bytes of WAL."""
    sample = valid_sample(rows)
    url = system.stack.endpoints.postgres_url

    def query(statement: str, **values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    await asyncio.to_thread(_empty_tables, url)
    ((start,),) = await asyncio.to_thread(query, "SELECT pg_current_wal_lsn()::text")
    before = cpu_by_process(system)
    await import_once(system, sample)
    cpu = {name: after - before[name] for name, after in cpu_by_process(system).items()}
    ((wal,),) = await asyncio.to_thread(query, "SELECT pg_current_wal_lsn() - %(start)s::pg_lsn", start=start)
    await asyncio.to_thread(_vacuum, url)
    parts = await asyncio.to_thread(query, _PARTS, tables=list(TABLES))
    return cpu, [(str(table), str(part), int(str(size))) for table, part, size in parts], int(str(wal))


def _empty_tables(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE tasks.tasks, tasks.task_events, tasks.history_blocks CASCADE")
        connection.execute("CHECKPOINT")


def _vacuum(url: str) -> None:
    """Write what is pending, such as the list of new entries of a GIN index."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE tasks.tasks, tasks.task_events")


def print_calls(console: Console, costs: Mapping[str, Mapping[str, float]]) -> None:
    table = Table("REST call, CPU in ms", *PROCESSES)
    for operation, by_process in costs.items():
        table.add_row(operation, *(f"{by_process[name]:.2f}" for name in PROCESSES))
    console.print(table)


def print_rows(
    console: Console, rows: int, cpu: Mapping[str, float], parts: list[tuple[str, str, int]], wal: int
) -> None:
    table = Table("table", "part", "bytes a row", title=f"{rows:,} rows, imported by COPY")
    for name, part, size in parts:
        table.add_row(name, part, f"{size / rows:.0f}")
    table.add_row("both", "write-ahead log", f"{wal / rows:.0f}")
    console.print(table)
    seconds = ", ".join(f"{name} {cpu[name] * 1_000_000 / rows:.1f}" for name in PROCESSES)
    console.print(f"CPU of a row in us: {seconds}")


async def measure(*, rows: int, rounds: int, seconds: float, console: Console) -> None:
    async with running_system(console.log) as system:
        print_calls(console, await call_costs(system, rounds=rounds, seconds=seconds))
        print_rows(console, rows, *await row_costs(system, rows))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.capacity", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    arguments = parser.parse_args()
    asyncio.run(measure(**vars(arguments), console=Console(width=120)))


if __name__ == "__main__":
    main()
