"""The services in this process, a user, and the REST API for that user."""

import asyncio
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from psycopg_pool import AsyncConnectionPool

from tests.support.rest import rest_client
from tests.support.system import Principal, System, running_system


@pytest.fixture(autouse=True)
def no_nested_connections(monkeypatch: pytest.MonkeyPatch):
    """Fail a test in which a call takes a second connection while it holds one.

    Calls that do so deadlock when all of them hold their first connection. A test itself may hold several.
    """
    takers: dict[int, asyncio.Task[Any] | None] = {}
    held: Counter[asyncio.Task[Any] | None] = Counter()
    nested: list[str] = []
    take, give = AsyncConnectionPool.getconn, AsyncConnectionPool.putconn

    async def getconn(pool: AsyncConnectionPool[Any], timeout: float | None = None) -> Any:  # noqa: ASYNC109 - psycopg's
        task = asyncio.current_task()
        if held[task] and not getattr(task and task.get_coro(), "__name__", "").startswith("test_"):
            nested.append("".join(traceback.format_stack(limit=12)))
        connection = await take(pool, timeout)
        takers[id(connection)] = task
        held[task] += 1
        return connection

    async def putconn(pool: AsyncConnectionPool[Any], conn: Any) -> None:
        held[takers.pop(id(conn))] -= 1
        await give(pool, conn)

    monkeypatch.setattr(AsyncConnectionPool, "getconn", getconn)
    monkeypatch.setattr(AsyncConnectionPool, "putconn", putconn)
    yield nested
    assert not nested, nested[0]


@pytest.fixture
def tasks_settings() -> dict[str, Any]:
    """Settings of task_service that a test overrides."""
    return {}


@pytest_asyncio.fixture
async def system(database, redis_url, tmp_path: Path, tasks_settings: dict[str, Any]):
    """auth_service and task_service on a fresh database."""
    uploads = tmp_path / "uploads"
    async with running_system(database, redis_url=redis_url, uploads=uploads, tasks_settings=tasks_settings) as running:
        yield running


@pytest_asyncio.fixture
async def sonu(system: System) -> Principal:
    """A user."""
    return await system.new_user("sonu")


@pytest_asyncio.fixture
async def rest(system: System, sonu: Principal):
    """A client of the REST API with that user's token."""
    async with rest_client(system, sonu) as client:
        yield client
