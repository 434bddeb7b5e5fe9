"""Plans of slow statements, as Postgres ran them for the service (its module auto_explain)."""

import asyncio
import itertools
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import grpc
import psycopg
from psycopg import sql

from tests.bench.growth.measurement import Call
from tests.bench.system import System

_ROLE = "tasks_app"
_SETTINGS = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
}
_DISCONNECT = "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE usename = %s"
"""Waits for the end of each connection: the next call must not find one with the old settings."""
_ENTRY = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.*? ([A-Z]+):  ", re.MULTILINE)
_PLAN = re.compile(r"duration: ([\d.]+) ms  plan:\n(.*)", re.DOTALL)
_CANCELLED = "canceling statement"
_MAX_CALLS = 12
"""Enough for a generic plan: the driver prepares after 5 executions, and Postgres makes that plan after 5 more."""
_MAX_SECONDS = 4.0
_MAX_LOG_SECONDS = 20
_PAUSE_SECONDS = 0.1
_LOG = "DO $$ BEGIN RAISE LOG {message}; END $$"


class PlanLog:
    """Log of Postgres, with the plans of all statements of task_service."""

    def __init__(self, log: Path, url: str) -> None:
        self._log = log
        self._url = url

    async def slowest_plan(self, call: Call) -> str:
        """Repeat a call; return the slowest statement of these calls with its plan."""
        start = self._log.stat().st_size
        end = time.perf_counter() + _MAX_SECONDS
        for _ in range(_MAX_CALLS):
            with suppress(grpc.aio.AioRpcError):  # a cancelled statement is in the log too
                await call()
            if time.perf_counter() > end:
                break
        text = await self._read(start)
        return await asyncio.to_thread(self._describe, list(_entries(text)))

    async def _read(self, start: int) -> str:
        """Return all that was logged before this call: Postgres logs a last line, and its entries are in order."""
        end = f"end of the plans {uuid4()}"
        await asyncio.to_thread(self._execute, sql.SQL(_LOG).format(message=sql.Literal(end)))
        async with asyncio.timeout(_MAX_LOG_SECONDS):
            while True:
                with self._log.open("rb") as file:
                    file.seek(start)
                    text = file.read().decode("utf-8", "replace")
                if end in text:
                    return text
                await asyncio.sleep(_PAUSE_SECONDS)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement)

    def _describe(self, entries: list[tuple[str, str]]) -> str:
        cancelled = [
            body
            for (_, error), (kind, body) in itertools.pairwise(entries)
            if kind == "STATEMENT" and error.startswith(_CANCELLED)
        ]
        if cancelled:
            return (
                f"Cancelled. Plan without execution, for any values:\n{cancelled[-1]}\n{self._explain(cancelled[-1])}"
            )
        plans = [(float(found[1]), found[2]) for _, body in entries if (found := _PLAN.search(body))]
        if not plans:
            return "No statement was logged: the query was refused before it reached Postgres."
        duration, plan = max(plans)
        return f"{duration:.1f} ms in Postgres:\n{plan}"

    def _explain(self, statement: str) -> str:
        try:
            with psycopg.connect(self._url, options="-c search_path=tasks") as connection:
                rows = connection.execute(f"EXPLAIN (GENERIC_PLAN) {statement}".encode())
                return "\n".join(row[0] for row in rows)
        except psycopg.Error as error:
            return f"No plan: {error}"


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each entry. Further lines of an entry begin with a tab."""
    starts = list(_ENTRY.finditer(text))
    for index, found in enumerate(starts):
        end = starts[index + 1].start() if index + 1 < len(starts) else len(text)
        yield found[1], text[found.end() : end].replace("\n\t", "\n").strip()


@asynccontextmanager
async def logged_plans(system: System, is_connected: Call) -> AsyncIterator[PlanLog]:
    """Let Postgres log the plans of the service during the context. The service connects again, at both ends."""
    url = system.stack.endpoints.postgres_url
    await asyncio.to_thread(_change_role, url, sql.SQL("ALTER ROLE {role} SET {name} TO {value}"))
    await _wait_for(is_connected)
    try:
        yield PlanLog(system.stack.log_dir / "postgres.log", url)
    finally:
        await asyncio.to_thread(_change_role, url, sql.SQL("ALTER ROLE {role} RESET {name}"))
        await _wait_for(is_connected)


def _change_role(url: str, statement: sql.SQL) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("LOAD 'auto_explain'")  # or its settings are unknown
        for name, value in _SETTINGS.items():
            names = sql.SQL(".").join(map(sql.Identifier, name.split(".")))
            connection.execute(statement.format(role=sql.Identifier(_ROLE), name=names, value=sql.Literal(value)))
        connection.execute(_DISCONNECT, [_ROLE])


async def _wait_for(is_connected: Call) -> None:
    """Call until the service has connected again."""
    async with asyncio.timeout(20):
        while True:
            try:
                await is_connected()
            except grpc.aio.AioRpcError:
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return
