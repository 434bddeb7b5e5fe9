"""Connections that Postgres ended while they were idle, as a restart does."""

import asyncio

import psutil
from taskmanager.auth.v1 import auth_service_pb2

from tests.integration.task_service.calls import create, list_ids
from tests.support.waiting import until

CONCURRENT_CALLS = 20
SESSIONS = "FROM pg_stat_activity WHERE datname = current_database() AND usename IN ('auth_app', 'tasks_app')"


async def test_no_call_gets_an_ended_connection(system, sonu, database):
    """Directly after Postgres has ended all idle connections of the pools, every call succeeds."""
    task = await create(system, sonu, title="before")

    async def calls() -> list[object]:
        return await asyncio.gather(
            *(list_ids(system, sonu) for _ in range(CONCURRENT_CALLS)),
            *(system.auth.GetJwks(auth_service_pb2.GetJwksRequest()) for _ in range(CONCURRENT_CALLS)),
        )

    await calls()
    sessions = [pid for (pid,) in database.rows(f"SELECT pid {SESSIONS}")]
    assert len(sessions) >= 4
    await database.execute(f"SELECT pg_terminate_backend(pid) {SESSIONS}")
    await until(lambda: not any(psutil.pid_exists(pid) for pid in sessions))

    assert (await calls())[:CONCURRENT_CALLS] == [[task.id]] * CONCURRENT_CALLS
