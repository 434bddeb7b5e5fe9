"""A database whose open connections fall silent: every loop continues on new connections."""

import time
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis.asyncio
from prometheus_client import REGISTRY
from pydantic import SecretStr

from chassis.database import connection
from task_service.imports.persistence import notifications
from tests.faults.proxy import TcpProxy
from tests.integration.task_service.import_calls import upload
from tests.support.embedded_servers import EmbeddedValkey
from tests.support.grpc_calls import until_accepted
from tests.support.waiting import until

LOOPS = ("NotifyWorkers", "RunUndos", "AppendBlocks", "PostgresNotifications")


@pytest.fixture
async def redis_url(tmp_path):
    """Return the URL of an empty Valkey."""
    async with EmbeddedValkey(tmp_path / "valkey") as valkey:
        yield valkey.url


@pytest.fixture
def proxy(database):
    """Return a proxy in front of Postgres."""
    address = urlsplit(database.tasks_url)
    with TcpProxy(str(address.hostname), int(address.port or 0)) as running:
        yield running


@pytest.fixture
def tasks_settings(database, proxy, monkeypatch) -> dict[str, Any]:
    monkeypatch.setattr(connection, "MAX_RESPONSE_SECONDS", 0.5)
    monkeypatch.setattr(notifications, "HEARTBEAT_SECONDS", 0.2)
    address = urlsplit(database.tasks_url)
    url = address._replace(netloc=f"{address.username}:{address.password}@127.0.0.1:{proxy.port}").geturl()
    return {"database_url": SecretStr(url)}


def succeeded_at(loop: str) -> float:
    return REGISTRY.get_sample_value("background_loop_succeeded_timestamp_seconds", {"loop": loop}) or 0


async def test_loops_continue_after_connections_fell_silent(system, sonu, proxy, redis_url):
    await until(lambda: all(succeeded_at(loop) for loop in LOOPS))
    proxy.silence()
    silenced_at = time.time()
    await until(lambda: all(succeeded_at(loop) > silenced_at for loop in LOOPS), seconds=60)
    await until_accepted(lambda: upload(system, sonu))
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        assert await client.blpop(["imports"], timeout=30) is not None
