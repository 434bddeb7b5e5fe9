"""The services in this process, a user, and the REST API for that user."""

import asyncio
import traceback
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_service_pb2

from import_worker.bootstrap import open_worker
from import_worker.settings import ImportWorkerSettings
from tests.integration.task_service.import_calls import get, upload
from tests.support.rest import rest_client
from tests.support.system import Principal, System, new_credential, running_system


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
        if id(conn) in takers:  # a background task of a server may have taken it before this fixture began
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


@asynccontextmanager
async def open_queue(system: System):
    """Yield a function that processes all imports of a system that wait, with the worker's own code."""
    settings = ImportWorkerSettings(
        redis_url=SecretStr("redis://unused"),
        tasks_target=system.tasks_target,
        auth_target=system.auth_target,
        auth_credential=SecretStr(await new_credential(system.use_cases, "import_worker", "imports:ingest")),
    )
    async with open_worker(settings, is_stopping=lambda: False) as process_queue:
        yield process_queue


@pytest.fixture
def process_queue_of():
    """Return the context manager of `process_queue`, for a system that a test runs itself."""
    return open_queue


@pytest_asyncio.fixture
async def process_queue(system):
    """Function that processes all imports that wait."""
    async with open_queue(system) as process_queue:
        yield process_queue


@pytest_asyncio.fixture
async def import_file(system, process_queue):
    """Function that imports a file for the user sonu; returns the import and the titles of its tasks in file order."""
    user = await system.new_user("sonu")

    async def run(data: bytes, **options: Any) -> tuple[import_pb2.Import, list[str]]:
        queued = await upload(system, user, data, **options)
        await process_queue()
        request = task_service_pb2.ListTasksRequest(import_id=queued.id, order_by="created_at", page_size=200)
        tasks = (await system.tasks.ListTasks(request, metadata=user.metadata)).tasks
        return await get(system, user, queued.id), [task.title for task in tasks]

    return run
