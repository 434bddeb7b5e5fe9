"""A CSV import through the whole system, against `\\copy` of the same rows straight into the same two tables."""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from deploy.local.sample import Sample, make_sample
from deploy.local.stack import Announce
from tests.bench.measure import watching_memory
from tests.bench.report import Row
from tests.bench.system import System

TABLES = ("tasks", "task_events")
_BLOCK = 1 << 16
_PACE_GOAL = 0.6
_MEMORY_GOAL = 64.0


@dataclass(frozen=True)
class ImportRound:
    """One import and one copy of what it wrote. Memory in MiB above what each process held before."""

    rows: int
    import_seconds: float
    copy_seconds: float
    memory: Mapping[str, float]


def rows_of_imports(rounds: Sequence[ImportRound]) -> Iterator[Row]:
    """The pace beside its floor, and what each process took."""
    size = f"{rounds[0].rows:,} rows"
    yield Row(
        work=f"CSV import, {size}",
        unit="rows a second",
        value=statistics.median(r.rows / r.import_seconds for r in rounds),
        floor=statistics.median(r.rows / r.copy_seconds for r in rounds),
        floor_is="\\copy",
        ratio=statistics.median(r.copy_seconds / r.import_seconds for r in rounds),
        sign=">=",
        goal=_PACE_GOAL,
    )
    for name in rounds[0].memory:
        yield row_of_memory(name, max(r.memory[name] for r in rounds), rounds[0].rows)


def row_of_memory(name: str, mebibytes: float, rows: int) -> Row:
    return Row(f"memory of {name}, {rows:,} rows", "MiB more", mebibytes, None, "", None, "<=", _MEMORY_GOAL)


async def rounds_of_imports(system: System, *, rows: int, rounds: int, announce: Announce) -> list[ImportRound]:
    """Imports and copies, in turn."""
    sample = good_sample(rows)
    done = []
    for turn in range(rounds):
        last = await import_and_copy(system, sample)
        seconds = f"import {last.import_seconds:.1f} s, \\copy {last.copy_seconds:.1f} s"
        announce(f"imports: round {turn + 1} of {rounds}, {seconds}")
        done.append(last)
    return done


async def import_and_copy(system: System, sample: Sample) -> ImportRound:
    """Both begin with empty tables and a fresh checkpoint, and leave the tables full."""
    url = system.stack.endpoints.postgres_url
    await asyncio.to_thread(_empty, url)
    import_seconds, memory = await import_watched(system, sample)
    files = await asyncio.to_thread(_dump, url, system.folder)
    await asyncio.to_thread(_empty, url)
    copy_seconds = await asyncio.to_thread(_copy, url, files)
    return ImportRound(sample.rows, import_seconds, copy_seconds, memory)


async def import_watched(system: System, sample: Sample) -> tuple[float, Mapping[str, float]]:
    """The seconds of an import, and the MiB that each process took at most above what it held before."""
    async with watching_memory(_services(system.pids)) as growth:
        seconds = await import_once(system, sample)
    return seconds, growth.mebibytes()


def good_sample(rows: int) -> Sample:
    """A file without a wrong row: what is compared is the writing of rows."""
    return make_sample(rows, 0)


async def import_once(system: System, sample: Sample) -> float:
    """Seconds from the 202 to succeeded."""
    queued = await system.rest.upload_csv("bench.csv", sample.content)
    began = time.perf_counter()
    *_, last = [state async for state in system.rest.watch_import(queued["id"])]
    assert (last["state"], last["rows_created"]) == ("succeeded", sample.rows), last
    return time.perf_counter() - began


def _dump(url: str, folder: Path) -> Mapping[str, Path]:
    files = {table: folder / f"{table}.copy" for table in TABLES}
    with psycopg.connect(url) as connection:
        for table, file in files.items():
            with file.open("wb") as output, connection.cursor().copy(f"COPY tasks.{table} TO STDOUT") as copy:
                for block in copy:
                    output.write(block)
    return files


def _copy(url: str, files: Mapping[str, Path]) -> float:
    """Seconds of what psql's `\\copy` does, one table after the other: the file's bytes, as they are, into COPY."""
    began = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        for table, file in files.items():
            with file.open("rb") as source, connection.cursor().copy(f"COPY tasks.{table} FROM STDIN") as copy:
                while block := source.read(_BLOCK):
                    copy.write(block)
    return time.perf_counter() - began


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE tasks.tasks, tasks.task_events, tasks.history_blocks CASCADE")
        connection.execute("CHECKPOINT")


def _services(pids: Mapping[str, int]) -> Mapping[str, int]:
    """Our own processes. What Postgres and Redis hold is theirs."""
    return {name: pid for name, pid in pids.items() if name not in {"postgres", "redis"}}
