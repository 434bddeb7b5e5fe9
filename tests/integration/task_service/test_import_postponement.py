"""Imports that wait for a dependency: the file is not to blame, and the import says what it waits for."""

from uuid import UUID

import grpc
import psycopg
import pytest
from prometheus_client import REGISTRY
from taskmanager.imports.v1 import import_pb2

from chassis.database.pool import open_pool
from chassis.kernel.errors import Unavailable
from task_service.imports.domain.imports import WaitReason
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from task_service.imports.usecases.leases import MAX_ATTEMPTS_WITHOUT_PROGRESS, ClaimNextImport
from tests.integration.task_service.import_calls import END, RELEASE_LEASE, batch, end_postponement, get, upload
from tests.support.grpc_calls import refused
from tests.support.user_directory import FakeUserDirectory

ATTEMPTS = "SELECT attempts_without_progress FROM tasks.imports"
EXPIRE_LEASE = "UPDATE tasks.imports SET lease_until = now() - interval '1 s'"


@pytest.fixture(autouse=True)
def short_lock_timeout(database):
    """Let task_service give up locks soon."""
    (name,) = database.rows("SELECT current_database()")[0]
    database.rows(f"ALTER ROLE tasks_app IN DATABASE \"{name}\" SET lock_timeout = '50ms'")


def postponed(reason: WaitReason) -> float:
    return REGISTRY.get_sample_value("imports_postponed_total", {"waits_for": reason}) or 0


async def test_import_waits_for_locks_without_an_attempt(system, worker, database):
    """Locks that last longer than the lock timeout never fail an import, however often it is claimed."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    before = postponed(WaitReason.DATABASE)
    async with await psycopg.AsyncConnection.connect(database.administrator_url) as holder:
        await holder.execute("LOCK TABLE tasks.tasks IN EXCLUSIVE MODE")
        for _ in range(MAX_ATTEMPTS_WITHOUT_PROGRESS + 2):
            lease = await worker.claim()
            status = await refused(worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], size=5)))
            assert status.code == grpc.StatusCode.UNAVAILABLE
            found = await get(system, sonu, queued.id)
            assert (found.state, found.waits_for) == (
                import_pb2.Import.STATE_QUEUED,
                import_pb2.Import.WAITS_FOR_DATABASE,
            )
            await end_postponement(database)
    assert await database.execute(ATTEMPTS) == [(0,)]
    assert postponed(WaitReason.DATABASE) == before + MAX_ATTEMPTS_WITHOUT_PROGRESS + 2
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], size=5), END)
    done = await get(system, sonu, queued.id)
    assert (done.state, done.waits_for) == (import_pb2.Import.STATE_SUCCEEDED, import_pb2.Import.WAITS_FOR_UNSPECIFIED)


async def test_claim_waits_for_auth_service(system, worker, database):
    """A claim that can't check the owner gives the import back."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    async with open_pool(database.tasks_url, name="test", size=1) as pool:
        claim = ClaimNextImport(
            begin=lambda: SqlImportsUnitOfWork(pool),
            user_directory=FakeUserDirectory(is_available=False),
            lease_seconds=60,
            max_running=1,
            is_paused=lambda: False,
        )
        for _ in range(MAX_ATTEMPTS_WITHOUT_PROGRESS + 2):
            with pytest.raises(Unavailable):
                await claim("test")
            found = await get(system, sonu, queued.id)
            assert found.waits_for == import_pb2.Import.WAITS_FOR_AUTH_SERVICE
            await end_postponement(database)
    assert await database.execute(ATTEMPTS) == [(0,)]


async def test_outages_do_not_reset_the_attempts(system, worker, database):
    """A file that crashes its workers fails after five crashes, also with outages and releases between them."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    async with open_pool(database.tasks_url, name="test", size=1) as pool:
        for _ in range(MAX_ATTEMPTS_WITHOUT_PROGRESS):
            lease = await worker.claim()
            async with SqlImportsUnitOfWork(pool) as work:
                await work.ingest.postpone(UUID(lease.import_id), lease.fence, WaitReason.DATABASE)
                await work.commit()
            await end_postponement(database)
            await worker.stream(await worker.claim(), RELEASE_LEASE)
            await worker.claim()
            await database.execute(EXPIRE_LEASE)
        assert await worker.claim() is None
    failed = await get(system, sonu, queued.id)
    assert (failed.state, failed.failure.code) == (import_pb2.Import.STATE_FAILED, "NO_PROGRESS")


async def test_postponements_grow_to_five_minutes(system, worker, database):
    await upload(system, await system.new_user("sonu"))
    pauses = []
    async with open_pool(database.tasks_url, name="test", size=1) as pool:
        for _ in range(11):
            lease = await worker.claim()
            async with SqlImportsUnitOfWork(pool) as work:
                await work.ingest.postpone(UUID(lease.import_id), lease.fence, WaitReason.OBJECT_STORE)
                cursor = await work.connection.execute(
                    "SELECT extract(epoch FROM queued_at - now())::float, wake_at = queued_at FROM tasks.imports"
                )
                pauses += await cursor.fetchall()
                await work.commit()
            if len(pauses) > 8:
                assert await worker.claim() is None
            await end_postponement(database)
    assert pauses == [(seconds, True) for seconds in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300)]
