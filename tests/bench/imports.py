"""A CSV import through the whole system, against `\\copy` of the same rows straight into the same two tables."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from deploy.local.sample import Sample, make_sample
from tests.bench.measure import watching_memory
from tests.bench.system import System

TABLES = ("tasks", "task_events")
_BLOCK = 1 << 16


@dataclass(frozen=True)
class ImportRound:
    """One import and one copy of what it wrote. Memory in MiB above what each process held before."""

    rows: int
    import_seconds: float
    copy_seconds: float
    memory: Mapping[str, float]


async def import_and_copy(system: System, sample: Sample) -> ImportRound:
    """Both begin with empty tables and a fresh checkpoint, and leave the tables full."""
    url = system.stack.endpoints.postgres_url
    await asyncio.to_thread(_empty, url)
    async with watching_memory(_services(system.pids)) as growth:
        import_seconds = await _import(system, sample)
    files = await asyncio.to_thread(_dump, url, system.folder)
    await asyncio.to_thread(_empty, url)
    copy_seconds = await asyncio.to_thread(_copy, url, files)
    return ImportRound(sample.rows, import_seconds, copy_seconds, growth.mebibytes())


def good_sample(rows: int) -> Sample:
    """A file without a wrong row: what is compared is the writing of rows."""
    return make_sample(rows, 0)


async def _import(system: System, sample: Sample) -> float:
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
        connection.execute("TRUNCATE tasks.tasks, tasks.task_events")
        connection.execute("CHECKPOINT")


def _services(pids: Mapping[str, int]) -> Mapping[str, int]:
    """Our own processes. What Postgres and Redis hold is theirs."""
    return {name: pid for name, pid in pids.items() if name not in {"postgres", "redis"}}
