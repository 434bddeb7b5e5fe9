"""A system with two callers: one loads it, the other one is measured."""

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import psycopg
from rich.console import Console

from deploy.local.demo.rest_client import RestClient
from tests.bench.calls import open_client
from tests.bench.capacity import cpu_by_process
from tests.bench.fair.loads import BATCH, BATCHES, IMPORT_LOADS, LOADS, LoadingCaller
from tests.bench.fair.report import TINY_IMPORT, Measurement
from tests.bench.fair.victim import Latencies, Victim, VictimOptions
from tests.bench.imports import import_once, valid_sample
from tests.bench.measure import cpu_seconds
from tests.bench.system import PASSWORD, System, running_system

_RAMP_SECONDS = 1.5
"""Time in which a load starts. It lasts as much longer than the measurement, too."""
_PAUSE_SECONDS = 1.0
_MAX_PAUSES = 60
_IDLE_CORES = 0.15
"""An idle system takes less, to poll and to check its dependencies."""
_WARM_UP_SECONDS = 2.0
_OWNERS = 500
_TASKS_PER_OWNER = 40
_TINY_IMPORTS = 5
_TINY_IMPORT_ROWS = 10
_TINY_IMPORT_PAUSE_SECONDS = 0.5

# With two owners alone, Postgres would expect half of all tasks for each owner.
_ADD_OTHER_OWNERS = """
WITH owners AS (SELECT gen_random_uuid()::text AS other_owner FROM generate_series(1, %(owners)s)),
    copied AS (SELECT * FROM tasks.tasks WHERE import_id IS NOT NULL LIMIT %(tasks)s)
INSERT INTO tasks.tasks
SELECT added.* FROM owners CROSS JOIN copied CROSS JOIN LATERAL jsonb_populate_record(
    NULL::tasks.tasks,
    to_jsonb(copied) || jsonb_build_object('id', uuidv7()::text, 'owner_id', other_owner, 'import_id', NULL)
) AS added
"""


class Bench:
    """Two callers of one system: one loads it, the other one is measured."""

    def __init__(
        self, system: System, loading: LoadingCaller, other: RestClient, victim: Victim, seconds: float
    ) -> None:
        self._system = system
        self._loading = loading
        self._other = replace(system, rest=other)
        self._victim = victim
        self._seconds = seconds

    async def idle(self) -> Measurement:
        """Measure without a load."""
        await self._wait_until_idle()
        latencies, cores = await self._measure()
        for _ in range(_TINY_IMPORTS):
            latencies.seconds.setdefault(TINY_IMPORT, []).append(await self._import())
        return _measurement(latencies, cores, {})

    async def during(self, load: str) -> Measurement:
        """Measure during a load."""
        await self._wait_until_idle()
        imports: list[float] = []
        async with LOADS[load](self._loading, self._seconds + 2 * _RAMP_SECONDS) as running:
            await asyncio.sleep(_RAMP_SECONDS)
            async with asyncio.TaskGroup() as group:
                importing = group.create_task(self._import_repeatedly(imports)) if load in IMPORT_LOADS else None
                latencies, cores = await self._measure()
                if importing:
                    importing.cancel()
        if imports:
            latencies.seconds[TINY_IMPORT] = imports
        if running.generator_cpu_seconds:
            cores["generator"] += running.generator_cpu_seconds / running.seconds
        return _measurement(latencies, cores, {n: count / running.seconds for n, count in running.received.items()})

    async def _wait_until_idle(self) -> None:
        """Wait until calls of the last load have ended and Postgres has cleaned up, but not for ever."""
        for _ in range(_MAX_PAUSES):
            before = sum(cpu_by_process(self._system).values())
            await asyncio.sleep(_PAUSE_SECONDS)
            if sum(cpu_by_process(self._system).values()) - before < _IDLE_CORES * _PAUSE_SECONDS:
                return

    async def _measure(self) -> tuple[Latencies, dict[str, float]]:
        before, began = self._cpu(), time.perf_counter()
        latencies = await self._victim.measure(self._seconds)
        elapsed = time.perf_counter() - began
        return latencies, {name: (cpu - before[name]) / elapsed for name, cpu in self._cpu().items()}

    def _cpu(self) -> Mapping[str, float]:
        """Return the CPU seconds of each process so far. This process generates some of the loads."""
        own = {"generator": cpu_seconds(os.getpid()), "other caller": cpu_seconds(self._victim.pid)}
        return {**cpu_by_process(self._system), **own}

    async def _import_repeatedly(self, durations: list[float]) -> None:
        """Import tiny files one after the other. One that is not complete at the end counts with its age."""
        while True:
            began = time.perf_counter()
            try:
                durations.append(await self._import())
            except asyncio.CancelledError:
                durations.append(time.perf_counter() - began)
                raise
            await asyncio.sleep(_TINY_IMPORT_PAUSE_SECONDS)

    async def _import(self) -> float:
        return await import_once(self._other, valid_sample(_TINY_IMPORT_ROWS))


def _measurement(latencies: Latencies, cores: Mapping[str, float], received: Mapping[str, float]) -> Measurement:
    return Measurement(latencies.seconds, latencies.failures, latencies.max_lag_seconds, cores, received)


@asynccontextmanager
async def running_bench(arguments: argparse.Namespace, console: Console) -> AsyncIterator[Bench]:
    """Run a system with the tasks of a loading caller, and with another caller."""
    async with (
        running_system(console.log, ingest_processes=arguments.ingest_processes) as system,
        RestClient(system.gateway_url) as other,
    ):
        await import_once(system, valid_sample(arguments.tasks))
        await other.register("other", "other@example.com", PASSWORD)
        token = (await other.login("other@example.com", PASSWORD))["access_token"]
        client, _ = await open_client(token, system.tasks_target)
        ids = await asyncio.to_thread(_prepare, system.stack.endpoints.postgres_url, BATCH * BATCHES)
        loading = LoadingCaller(system.gateway_url, system.token, system.rest, ids)
        options = VictimOptions(system.tasks_target, system.gateway_url, token, client.ids, arguments.rate)
        async with Victim.start(options) as victim:
            await victim.measure(_WARM_UP_SECONDS)
            yield Bench(system, loading, other, victim, arguments.seconds)


def _prepare(url: str, tasks: int) -> list[str]:
    """Add tasks of other owners, and bring the tables into the state of long-lived ones. Return ids of tasks."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_ADD_OTHER_OWNERS, {"owners": _OWNERS, "tasks": _TASKS_PER_OWNER})
        connection.execute("VACUUM ANALYZE tasks.tasks, tasks.task_events")
        connection.execute("CHECKPOINT")
        statement = "SELECT id::text FROM tasks.tasks WHERE import_id IS NOT NULL ORDER BY id LIMIT %s"
        return [row[0] for row in connection.execute(statement, (tasks,))]
