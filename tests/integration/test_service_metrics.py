"""Metrics of the services in this process: connections, revocations and HTTP requests."""

import asyncio
import secrets

import psycopg
from prometheus_client import REGISTRY
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.tasks.v1 import task_service_pb2

from tests.support.metrics import metric_value
from tests.support.rest import rest_client
from tests.support.waiting import until

POOL = {"pool": "task_service"}


def revocations() -> float:
    return metric_value("trust_revocations", kind="session")


async def test_logout_raises_the_number_of_revocations(system):
    """task_service learns of the revoked session with its next poll."""
    user = await system.new_user("sonu")
    before = revocations()
    await system.auth.Logout(auth_service_pb2.LogoutRequest(), metadata=user.metadata)
    await until(lambda: revocations() == before + 1)


async def test_calls_that_wait_for_a_connection_are_counted(system, database):
    """More calls than connections: the pool is in use, callers wait for their turn, and both end with the cause."""
    user = await system.new_user("sonu")
    requests = metric_value("database_pool_requests_total", **POOL)
    request = task_service_pb2.ListTasksRequest()
    async with await psycopg.AsyncConnection.connect(database.administrator_url) as holder:
        await holder.execute("LOCK TABLE tasks.tasks IN ACCESS EXCLUSIVE MODE")
        calls = [asyncio.ensure_future(system.tasks.ListTasks(request, metadata=user.metadata)) for _ in range(12)]
        await until(lambda: metric_value("database_callers_waiting") > 0)
        idle = metric_value("database_pool_idle_connections", **POOL)
        assert metric_value("database_pool_connections", **POOL) - idle >= 4
        await holder.rollback()
    await asyncio.gather(*calls)
    await until(lambda: metric_value("database_callers_waiting") == 0)
    assert metric_value("database_pool_requests_total", **POOL) - requests >= 12
    assert metric_value("database_pool_max_connections", **POOL) == system.tasks_settings.database_pool_size


def http_labels() -> set[str]:
    families = [family for family in REGISTRY.collect() if family.name.startswith("http_")]
    return {value for family in families for sample in family.samples for value in sample.labels.values()}


async def test_invented_paths_and_methods_make_no_label_values(system):
    """A client can invent any number of paths, ids and methods. None becomes the value of a label."""
    user = await system.new_user("sonu")
    async with rest_client(system, user) as client:
        inventions = [secrets.token_hex(4).upper() for _ in range(3)]
        for invention in inventions:
            assert (await client.get(f"/{invention}")).status_code == 404
            assert (await client.get(f"/tasks/{invention}")).status_code in {400, 404}
        assert (await client.request("PROPFIND", "/tasks")).status_code == 405
    labels = http_labels()
    assert {"/api/v1/tasks/{id}", "other", "404"} <= labels
    assert not any(invention in label for invention in (*inventions, "PROPFIND") for label in labels)
