"""Both services behind a real pgbouncer in transaction mode."""

import asyncio
from collections import Counter
from typing import Any

import httpx2 as httpx
import pytest
import structlog
from psycopg.errors import DuplicatePreparedStatement
from pydantic import SecretStr
from taskmanager.imports.v1 import import_service_pb2

from chassis.database.connection import PREPARE_THRESHOLD, Connection
from chassis.database.pool import open_pool
from tests.integration.held_reads import held, waiting
from tests.integration.task_service.import_calls import upload
from tests.support.commands import command_runner
from tests.support.database import ForwardedDatabase
from tests.support.pgbouncer import EmbeddedPgbouncer, needs_pgbouncer
from tests.support.system import PASSWORD, Principal, System, running_system
from tests.support.waiting import until

pytestmark = needs_pgbouncer

CONCURRENT_CALLS = 600
NO_PREPARED_STATEMENTS = {"database_prepared_statements": False}
FILE = b"title,status\n" + b"".join(b"Row %d,pending\n" % number for number in range(300))


@pytest.fixture
async def pooled(database, tmp_path):
    async with EmbeddedPgbouncer(tmp_path / "pgbouncer", upstream_url=database.administrator_url) as pooler:
        yield ForwardedDatabase(database.administrator_url, pooler.server.port)


@pytest.fixture(params=["direct URL", "polling"])
async def system(request, database, pooled, redis_url, tmp_path):
    direct_url = SecretStr(database.tasks_url) if request.param == "direct URL" else None
    async with running_system(
        pooled,
        redis_url=redis_url,
        uploads=tmp_path / "uploads",
        auth_settings=NO_PREPARED_STATEMENTS,
        tasks_settings={**NO_PREPARED_STATEMENTS, "direct_database_url": direct_url},
    ) as running:
        yield running


async def watch(system: System, user: Principal, import_id: str) -> list[str]:
    """Return the states that a watch reports, until the import ends."""
    request = import_service_pb2.WatchImportRequest(id=import_id)
    call = system.imports.WatchImport(request, metadata=user.metadata)
    return [str(response) async for response in call]


async def call_rest(rest: httpx.AsyncClient, method: str, path: str, **options: Any) -> dict[str, Any]:
    response = await rest.request(method, path, **options)
    assert response.is_success, response.text
    return response.json() if response.headers["content-type"].startswith("application/json") else {}


async def test_abandoned_read_ends_its_statement(sonu, rest, database, caplog):
    """The cancellation reaches Postgres through the pooler, so the driver has no connection to give up."""
    await call_rest(rest, "POST", "/tasks", json={"title": "x"})
    async with held(database, sonu, calls=[lambda: rest.get("/tasks")], at_least=1) as (request,):
        request.cancel()
        await until(lambda: not waiting(database))
    assert [task["title"] for task in (await call_rest(rest, "GET", "/tasks"))["tasks"]] == ["x"]
    assert [record.getMessage() for record in caplog.records if record.name == "psycopg"] == []


async def test_every_call_works_through_the_pooler(system, sonu, rest, process_queue, pooled):
    """With a direct URL each statement runs often enough to be prepared, if the driver might."""
    for number in range(PREPARE_THRESHOLD + 1 if system.tasks_settings.direct_database_url else 1):
        email = f"user{number}@example.com"
        account = {"username": f"user{number}", "email": email, "password": PASSWORD}
        await call_rest(rest, "POST", "/register", json=account)
        session = await call_rest(rest, "POST", "/login", json={"email": email, "password": PASSWORD})
        await call_rest(rest, "POST", "/token:refresh", json={"refresh_token": session["refresh_token"]})
        task = await call_rest(rest, "POST", "/tasks", json={"title": "x"}, headers={"Idempotency-Key": str(number)})
        await call_rest(rest, "PATCH", f"/tasks/{task['id']}", json={"title": "y"})
        await call_rest(rest, "GET", f"/tasks/{task['id']}/events")
        await call_rest(rest, "GET", "/tasks", params={"q": "y", "include_total": "true"})
        batch = await call_rest(rest, "POST", "/tasks:batchCreate", json={"requests": [{"task": {"title": "z"}}] * 20})
        deletions = [{"id": each["id"]} for each in batch["tasks"]]
        await call_rest(rest, "POST", "/tasks:batchDelete", json={"requests": deletions})
        await call_rest(rest, "GET", "/tasks:stats")
        await call_rest(rest, "GET", "/tasks:export")
        await call_rest(rest, "GET", "/events")
        await call_rest(rest, "GET", "/me")

        queued = await upload(system, sonu, FILE)
        async with asyncio.timeout(30):
            states, _ = await asyncio.gather(watch(system, sonu, queued.id), process_queue())
        assert states
        await call_rest(rest, "POST", f"/imports/{queued.id}:undo")
        async with asyncio.timeout(30):
            await watch(system, sonu, queued.id)
        undone = await call_rest(rest, "GET", f"/imports/{queued.id}")
        assert (undone["state"], undone["rows_created"], undone["undo"]["state"]) == ("succeeded", 300, "succeeded")
    verify = command_runner("task_service", "TASKS", {"TASKS_DATABASE_URL": pooled.tasks_url})
    status, output, error = await verify("verify")
    assert (status, error) == (0, ""), error
    assert "History is whole" in output


@pytest.mark.parametrize("system", ["polling"], indirect=True)
async def test_concurrent_calls_work_through_the_pooler(system, rest):
    results: Counter[int] = Counter()

    async def call(number: int) -> None:
        kinds: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("POST", "/tasks", {"json": {"title": "x"}}),
            ("GET", "/tasks", {}),
            ("GET", "/me", {}),
        )
        method, path, options = kinds[number % 3]
        results[(await rest.request(method, path, **options)).status_code] += 1

    async def client(numbers) -> None:
        for number in numbers:
            await call(number)

    numbers = iter(range(CONCURRENT_CALLS))
    await asyncio.gather(*(client(numbers) for _ in range(20)))
    assert results == {200: CONCURRENT_CALLS * 2 // 3, 201: CONCURRENT_CALLS // 3}


async def test_prepared_statements_through_the_pooler_are_explained(pooled):
    """The log names the setting when the database's error shows the contradiction."""

    async def repeat(connection: Connection) -> None:
        for _ in range(PREPARE_THRESHOLD + 1):
            await connection.execute("SELECT 1")

    with structlog.testing.capture_logs() as logs:
        async with (
            open_pool(pooled.tasks_url, name="test", size=2) as pool,
            pool.connection() as first,
            pool.connection() as second,
        ):
            # Without concurrency the pooler gives both clients the same server connection, each with its own `_pg3_0`.
            await repeat(first)
            with pytest.raises(DuplicatePreparedStatement):
                await repeat(second)
    assert any("_DATABASE_PREPARED_STATEMENTS=false" in each["event"] for each in logs)
