"""Each dependency goes down, falls silent and comes back under a light load."""

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from chassis.settings import Listen
from chassis.testing.database import temporary_database
from deploy.local.host.free_ports import find_free_port
from tests.faults.light_load import Call, Result, light_load
from tests.faults.proxy import Mode, TcpProxy
from tests.support.database import Database, ForwardedDatabase, migrated_template
from tests.support.embedded_servers import EmbeddedPostgres
from tests.support.pgbouncer import EmbeddedPgbouncer, needs_pgbouncer
from tests.support.rest import rest_client
from tests.support.s3_server import BUCKET, SeaweedServer
from tests.support.system import running_system

OUTAGE_SECONDS = float(os.environ.get("FAULT_OUTAGE_SECONDS", "3"))
"""Duration of each outage. `make test-faults` makes it longer, so that pauses between attempts grow."""
MAX_OUTAGE_SECONDS = 30
"""An outage lasts until each kind of call that needs the dependency was refused, but fails after this time."""
HANG_SECONDS = OUTAGE_SECONDS + 4
"""Longer than a call waits for a connection."""
GATEWAY_TIMEOUT_SECONDS = 15
MAX_REFUSAL_SECONDS = 2.0
MAX_RETURN_SECONDS = 2.0
SETTLING_SECONDS = 1.0
"""Time before the outage in which every kind of call succeeds."""

NEEDED_BY = {
    "database": frozenset({"create", "get", "list", "me", "upload", "assign"}),
    "redis": frozenset(),
    "store": frozenset({"upload"}),
    "auth_service": frozenset({"assign"}),
}
"""Kinds of calls that need each dependency. The others go on."""

USERS = """
    INSERT INTO auth.users (id, username, username_key, email, email_key, password_hash, role, epoch, created_at)
    SELECT gen_random_uuid(), n, n, n || '@example.com', n || '@example.com', '', 'user', 0, now()
    FROM (SELECT 'assignee' || generate_series(1, 5000) AS n) RETURNING id::text
"""


@dataclass(frozen=True)
class Stage:
    """The system behind proxies, one for each dependency, and the calls of the load."""

    proxies: Mapping[str, TcpProxy]
    calls: Mapping[str, Call]


def split_address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


@asynccontextmanager
async def running_stage(
    database: Database, redis_url: str, s3: SeaweedServer, folder: Path, *, pooler: bool = False
) -> AsyncIterator[Stage]:
    auth_port = find_free_port()
    addresses = {
        "database": split_address(database.tasks_url),
        "redis": split_address(redis_url),
        "store": split_address(s3.url),
        "auth_service": ("127.0.0.1", auth_port),
    }
    async with AsyncExitStack() as stack:
        proxies = {name: stack.enter_context(TcpProxy(*address)) for name, address in addresses.items()}
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in (s3.environment | {"AWS_ENDPOINT": f"http://127.0.0.1:{proxies['store'].port}"}).items():
            patch.setenv(name, value)
        services_database = ForwardedDatabase(database.administrator_url, proxies["database"].port)
        if pooler:
            embedded = EmbeddedPgbouncer(folder / "pgbouncer", upstream_url=services_database.tasks_url)
            await stack.enter_async_context(embedded)
            services_database = ForwardedDatabase(database.administrator_url, embedded.server.port)
        system = await stack.enter_async_context(
            running_system(
                services_database,
                redis_url=redis_url.replace(f":{addresses['redis'][1]}/", f":{proxies['redis'].port}/"),
                uploads=folder,
                auth_settings={
                    "listen": Listen("127.0.0.1", auth_port),
                    "database_prepared_statements": not pooler,
                },
                tasks_settings={
                    "database_prepared_statements": not pooler,
                    "store_url": f"s3://{BUCKET}/outages",
                    "auth_target": f"127.0.0.1:{proxies['auth_service'].port}",
                },
            )
        )
        user = await system.new_admin()
        rest = await stack.enter_async_context(rest_client(system, user))
        task = (await rest.post("/tasks", json={"title": "x"})).json()
        assignees = itertools.cycle([user_id for (user_id,) in await database.execute(USERS)])
        yield Stage(
            proxies,
            {
                "create": lambda: rest.post("/tasks", json={"title": "x"}),
                "get": lambda: rest.get(f"/tasks/{task['id']}"),
                "list": lambda: rest.get("/tasks", params={"page_size": 5}),
                "me": lambda: rest.get("/me"),
                # A user that is not in the cache.
                "assign": lambda: rest.post("/tasks", json={"title": "x", "assignee_id": next(assignees)}),
                "upload": lambda: rest.post(
                    "/imports",
                    params={"file_name": "x.csv", "allow_same_file": "true"},
                    content=b"title\nx\n",
                    headers={"content-type": "text/csv"},
                ),
            },
        )


@pytest.fixture
async def stage(database, redis_url, s3, tmp_path):
    async with running_stage(database, redis_url, s3, tmp_path) as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NEEDED_BY)
async def test_dependency_goes_down_and_comes_back(stage: Stage, name: str):
    """Calls that need it get 503 with Retry-After in time, others go on, and all work soon after its return."""
    await check_outage(stage, name)


@needs_pgbouncer
@pytest.mark.timeout(300)
async def test_database_behind_a_pooler_goes_down_and_comes_back(database, redis_url, s3, tmp_path):
    """The pooler lets a call wait until it has tried to log in, once a second, and the gateway repeats a read once."""
    async with running_stage(database, redis_url, s3, tmp_path, pooler=True) as stage:
        await check_outage(stage, "database", max_refusal_seconds=4, max_return_seconds=3)


async def check_outage(
    stage: Stage,
    name: str,
    *,
    max_refusal_seconds: float = MAX_REFUSAL_SECONDS,
    max_return_seconds: float = MAX_RETURN_SECONDS,
) -> None:
    """Take a dependency down for at least OUTAGE_SECONDS under a light load, and check all results."""
    proxy, needed_by = stage.proxies[name], NEEDED_BY[name]
    async with light_load(stage.calls) as load:
        await asyncio.sleep(SETTLING_SECONDS)
        down = time.monotonic()
        proxy.mode = Mode.REFUSE
        proxy.cut()
        await asyncio.sleep(OUTAGE_SECONDS)
        async with asyncio.timeout(MAX_OUTAGE_SECONDS):
            for kind in needed_by:
                await load.first_refusal(kind, down)
        back = time.monotonic()
        proxy.mode = Mode.FORWARD
        async with asyncio.timeout(30):
            first = {kind: await load.first_success(kind, back) for kind in stage.calls}
            await asyncio.sleep(max(0, back + max_return_seconds + 1 - time.monotonic()))
    refused = [result for result in load.between(down, back) if result.kind in needed_by and not result.is_success]
    delays = {kind: result.ended - back for kind, result in first.items() if kind in needed_by}
    print(  # noqa: T201 - the measured figures
        f"{name} down for {back - down:.1f} s: {len(refused)} refused,"
        f" the slowest in {max((result.seconds for result in refused), default=0):.2f} s;"
        f" {len(load.between(down, back)) - len(refused)} others succeeded;"
        f" first success {max(delays.values(), default=0):.2f} s after its return"
    )
    assert failures([result for result in load.results if result.ended < down]) == []
    assert {result.kind for result in refused} == needed_by
    assert {result.status for result in refused} <= {503}
    assert all(result.retry_after for result in refused)
    assert max((result.seconds for result in refused), default=0) < max_refusal_seconds
    assert failures(load.between(down, back), except_for=needed_by) == []
    assert max(delays.values(), default=0) < max_return_seconds
    assert failures(load.between(back + max_return_seconds, time.monotonic())) == []


@pytest.fixture
async def hanging_postgres(tmp_path):
    async with EmbeddedPostgres(tmp_path / "postgres", durable=False) as server:
        with migrated_template(server.url) as template, temporary_database(server.url, template=template) as url:
            yield Database(url)


@pytest.mark.timeout(300)
async def test_database_hangs_and_goes_on(
    hanging_postgres: Database, redis_url: str, s3: SeaweedServer, tmp_path: Path
):
    """Calls that wait for it end by their timeouts, none fails for another reason, and all work soon afterwards."""
    async with (
        running_stage(hanging_postgres, redis_url, s3, tmp_path / "uploads") as stage,
        light_load(stage.calls) as load,
    ):
        await asyncio.sleep(SETTLING_SECONDS)
        stopped = stop_postgres(hanging_postgres)
        hung = time.monotonic()
        try:
            await asyncio.sleep(HANG_SECONDS)
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()
        back = time.monotonic()
        async with asyncio.timeout(30):
            first = {kind: await load.first_success(kind, back) for kind in stage.calls}
            await asyncio.sleep(max(0, back + MAX_RETURN_SECONDS + 1 - time.monotonic()))
    during = [result for result in load.results if hung < result.ended and result.began < back]
    slowest_by_kind: dict[str, float] = {}
    for result in during:
        slowest_by_kind[result.kind] = max(result.seconds, slowest_by_kind.get(result.kind, 0))
    delay = max(result.ended - back for result in first.values())
    statuses = sorted({result.status for result in during})
    slowest = ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in slowest_by_kind.items())
    print(  # noqa: T201 - the measured figures
        f"database hung for {HANG_SECONDS:g} s: {len(during)} calls with statuses {statuses}, the slowest {slowest};"
        f" first success {delay:.2f} s after its return"
    )
    assert set(statuses) <= {200, 201, 202, 429, 503, 504}
    # The gateway waits longer for an upload: its service stores the file first.
    assert max(seconds for kind, seconds in slowest_by_kind.items() if kind != "upload") < GATEWAY_TIMEOUT_SECONDS + 1
    assert slowest_by_kind.get("upload", 0) < HANG_SECONDS + MAX_RETURN_SECONDS
    assert delay < MAX_RETURN_SECONDS
    assert failures(load.between(back + MAX_RETURN_SECONDS, time.monotonic())) == []


def stop_postgres(database: Database) -> list[psutil.Process]:
    """Send SIGSTOP to all processes of a server on this machine; return them."""
    ((pid,),) = database.rows("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
    postmaster = psutil.Process(pid).parent()
    assert postmaster is not None
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    return processes


def failures(results: list[Result], *, except_for: frozenset[str] = frozenset()) -> list[Result]:
    return [result for result in results if not result.is_success and result.kind not in except_for]
