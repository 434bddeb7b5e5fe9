"""A CSV import through the whole system, compared with `\\copy` of the same rows into the same two tables."""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from deploy.local.demo.sample import Sample, make_sample
from deploy.local.stack import Announce
from tests.bench.measure import measuring_memory
from tests.bench.report import Row
from tests.bench.system import System

TABLES = ("tasks", "task_events")
_BLOCK = 1 << 16
PLAIN_FILE = "a plain file"
PLAIN_FILE_GOAL = 0.75
_MEMORY_GOAL = 64.0


@dataclass(frozen=True)
class ImportRound:
    """One import and one copy of its rows. Memory in MiB above the initial memory of each process."""

    rows: int
    import_seconds: float
    copy_seconds: float
    memory: Mapping[str, float]


def import_rows(rounds: Sequence[ImportRound], *, file: str, goal: float) -> Iterator[Row]:
    """Yield the speed with its floor, and the memory of each process."""
    size = f"{file}, {rounds[0].rows:,} rows"
    yield Row(
        operation=f"import of {size}",
        unit="rows a second",
        value=statistics.median(r.rows / r.import_seconds for r in rounds),
        floor=statistics.median(r.rows / r.copy_seconds for r in rounds),
        floor_name="\\copy",
        ratio=statistics.median(r.copy_seconds / r.import_seconds for r in rounds),
        comparison=">=",
        goal=goal,
    )
    for name in rounds[0].memory:
        yield memory_row(name, max(r.memory[name] for r in rounds), size)


def memory_row(name: str, mebibytes: float, size: str) -> Row:
    return Row(f"memory of {name}, {size}", "MiB more", mebibytes, None, "", None, "<=", _MEMORY_GOAL)


async def measure_imports(system: System, sample: Sample, *, rounds: int, announce: Announce) -> list[ImportRound]:
    """Import and copy alternately."""
    results = []
    for round_number in range(rounds):
        last = await import_and_copy(system, sample)
        seconds = f"import {last.import_seconds:.1f} s, \\copy {last.copy_seconds:.1f} s"
        announce(f"imports: round {round_number + 1} of {rounds}, {seconds}")
        results.append(last)
    return results


async def import_and_copy(system: System, sample: Sample) -> ImportRound:
    """Import and copy, each from empty tables and after a checkpoint; leave the tables full."""
    url = system.stack.endpoints.postgres_url
    await asyncio.to_thread(_empty_tables, url)
    import_seconds, memory = await import_measuring_memory(system, sample)
    files = await asyncio.to_thread(_dump, url, system.folder)
    await asyncio.to_thread(_empty_tables, url)
    copy_seconds = await asyncio.to_thread(_copy, url, files)
    return ImportRound(sample.rows, import_seconds, copy_seconds, memory)


async def import_measuring_memory(system: System, sample: Sample) -> tuple[float, Mapping[str, float]]:
    """Return the seconds of an import, and the maximum MiB of each process above its initial memory."""
    async with measuring_memory(_services(system.pids)) as growth:
        seconds = await import_once(system, sample)
    return seconds, growth.mebibytes()


def valid_sample(rows: int) -> Sample:
    """Return a file without invalid rows, because only the writing of rows is compared."""
    return make_sample(rows, 0)


async def import_once(system: System, sample: Sample) -> float:
    """Return the seconds from the response 202 to the state succeeded."""
    queued = await system.rest.upload_csv("bench.csv", sample.content)
    start = time.perf_counter()
    *_, last = [state async for state in system.rest.watch_import(queued["id"])]
    assert (last["state"], last["rows_created"]) == ("succeeded", sample.rows), last
    return time.perf_counter() - start


def _dump(url: str, folder: Path) -> Mapping[str, Path]:
    files = {table: folder / f"{table}.copy" for table in TABLES}
    with psycopg.connect(url) as connection:
        for table, file in files.items():
            with file.open("wb") as output, connection.cursor().copy(f"COPY tasks.{table} TO STDOUT") as copy:
                for block in copy:
                    output.write(block)
    return files


def _copy(url: str, files: Mapping[str, Path]) -> float:
    """Copy files into the tables as psql's `\\copy` does; return the seconds."""
    start = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        for table, file in files.items():
            with file.open("rb") as source, connection.cursor().copy(f"COPY tasks.{table} FROM STDIN") as copy:
                while block := source.read(_BLOCK):
                    copy.write(block)
    return time.perf_counter() - start


def _empty_tables(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE tasks.tasks, tasks.task_events, tasks.history_blocks CASCADE")
        connection.execute("CHECKPOINT")


def _services(pids: Mapping[str, int]) -> Mapping[str, int]:
    """Return our own processes, without Postgres and Redis."""
    return {name: pid for name, pid in pids.items() if name not in {"postgres", "redis"}}
