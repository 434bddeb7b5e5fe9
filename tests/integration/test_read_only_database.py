"""A read-only database, as after a failover or a full disk: reads continue, writes and background loops wait."""

import grpc
import pytest
from prometheus_client import REGISTRY
from taskmanager.auth.v1 import auth_service_pb2

import auth_service.background_tasks
import task_service.background_tasks
from tests.integration.task_service.calls import create, list_ids
from tests.support.grpc_calls import refused, until_accepted
from tests.support.system import PASSWORD
from tests.support.waiting import until

LOOPS = (
    "NotifyWorkers",
    "RunUndos",
    "AppendBlocks",
    "DeleteDryRunState",
    "EmptyTrash",
    "DeleteExpiredIdempotencyRecords",
    "DeleteExpiredRecords",
    "DeleteExpiredEvents",
)
REGISTRATION = auth_service_pb2.RegisterRequest(username="mina", email="mina@example.com", password=PASSWORD)
TERMINATE_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename IN ('auth_app', 'tasks_app')
"""


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch):
    """Run every background loop often."""
    for module in (auth_service.background_tasks, task_service.background_tasks):
        monkeypatch.setattr(module, "CLEANUP_INTERVAL_SECONDS", 0.1)


async def set_read_only(database, value: str) -> None:
    """Change the default of new sessions and end the open ones."""
    (name,) = database.rows("SELECT current_database()")[0]
    await database.execute(
        f'BEGIN READ WRITE; ALTER DATABASE "{name}" SET default_transaction_read_only = {value}; COMMIT'
    )
    await database.execute(TERMINATE_SESSIONS)


def failures(loop: str) -> float:
    return REGISTRY.get_sample_value("background_loop_failures_total", {"loop": loop}) or 0


async def test_services_survive_a_read_only_database(system, sonu, database):
    """Reads are answered, writes are UNAVAILABLE, and each background loop fails without ending its process."""
    task = await create(system, sonu, title="before")
    before = {loop: failures(loop) for loop in LOOPS}
    await set_read_only(database, "on")
    await until(lambda: all(failures(loop) > before[loop] for loop in LOOPS))
    # A connection of the pool may still be one that was terminated.
    assert await until_accepted(lambda: list_ids(system, sonu)) == [task.id]
    assert (await until_accepted(lambda: system.auth.GetJwks(auth_service_pb2.GetJwksRequest()))).keys
    for write in (create(system, sonu, title="refused"), system.auth.Register(REGISTRATION)):
        status = await refused(write)
        assert (status.code, status.retry_after_seconds) == (grpc.StatusCode.UNAVAILABLE, 1)
    await set_read_only(database, "off")
    after = await until_accepted(lambda: create(system, sonu, title="after"))
    assert set(await until_accepted(lambda: list_ids(system, sonu))) == {after.id, task.id}
