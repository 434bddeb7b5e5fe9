"""The moment after an import into a young database, of which Postgres has no statistics yet."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from rich.console import Console
from taskmanager.tasks.v1 import task_service_pb2

from tests.bench.growth.calls import Stubs
from tests.bench.growth.measurement import Call, Measurement, Response, measure
from tests.bench.growth.report import Floor
from tests.bench.imports import import_once, valid_sample
from tests.bench.system import System, running_system

GOAL = 2.0
"""Maximum time of the default list directly after an import, in times of the same list with statistics."""

_WARM_UP_CALLS = 12
"""Enough for a prepared statement with a generic plan, which is made while the table is nearly empty."""
_HAS_STATISTICS = """
SELECT reltuples > %s / 2 FROM pg_class WHERE oid = CAST('tasks.tasks' AS regclass)
"""


@dataclass(frozen=True)
class FreshImport:
    """Default list of an owner after an import of many rows."""

    rows: int
    at_once: Measurement
    had_statistics: bool
    """True if Postgres knew the size of the table at the end of the first measurement."""
    floor: Floor
    """The same list after an ANALYZE by the bench."""

    @property
    def ratio(self) -> float:
        return self.at_once.median_ms / self.floor.ms

    @property
    def verdict(self) -> str:
        if not self.floor.is_steady:
            return "too busy to tell"
        return "met" if self.ratio <= GOAL else "not met"

    def __str__(self) -> str:
        known = "already with statistics" if self.had_statistics else "without statistics"
        return (
            f"Default list directly after an import of {self.rows:,} rows into an empty database, {known}:"
            f" {self.at_once.median_ms:.1f} ms; after ANALYZE: {self.floor.ms:.1f} ms;"
            f" {self.ratio:.1f}x, goal <= {GOAL:g}x: {self.verdict}"
        )

    def to_json(self) -> Mapping[str, object]:
        return {
            "rows": self.rows,
            "at_once_ms": self.at_once.median_ms,
            "had_statistics": self.had_statistics,
            "analyzed_ms": self.floor.ms,
            "ratio": self.ratio,
            "goal": GOAL,
            "verdict": self.verdict,
        }


async def measure_fresh_import(rows: int, *, seconds: float, console: Console) -> FreshImport:
    """Import into a new system, and list the tasks at once and after an ANALYZE."""
    async with running_system(console.log) as system, Stubs.open(system.tasks_target) as stubs:
        call = _default_list(system, stubs)
        for _ in range(_WARM_UP_CALLS):
            await call()
        await import_once(system, valid_sample(rows))
        at_once = await measure(call, seconds=seconds)
        had_statistics = await asyncio.to_thread(_has_statistics, system, rows)
        await asyncio.to_thread(_analyze, system)
        floor = Floor([await measure(call, seconds=seconds) for _ in range(2)])
        return FreshImport(rows, at_once, had_statistics, floor)


def _default_list(system: System, stubs: Stubs) -> Call:
    metadata = (("authorization", f"Bearer {system.token}"),)

    async def call() -> Response:
        response = await stubs.tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=metadata)
        return Response(len(response.tasks), bool(response.next_page_token))

    return call


def _has_statistics(system: System, rows: int) -> bool:
    with psycopg.connect(system.stack.endpoints.postgres_url) as connection:
        row = connection.execute(_HAS_STATISTICS, [rows]).fetchone()
        return bool(row and row[0])


def _analyze(system: System) -> None:
    with psycopg.connect(system.stack.endpoints.postgres_url, autocommit=True) as connection:
        connection.execute("ANALYZE tasks.tasks")
