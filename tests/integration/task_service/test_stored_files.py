"""The same file again, files that change under an import, files that expire, and imports that wait for their owner."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from chassis.database.pool import open_pool
from task_service.imports.clients.object_store import ObstoreObjectStore
from task_service.imports.persistence.unit_of_work import SqlImportsReadSession, SqlImportsUnitOfWork
from task_service.imports.usecases.upload_cleanup import DeleteExpiredUploads, object_key
from task_service.settings import TasksSettings
from tests.integration.task_service.conftest import Stored
from tests.integration.task_service.import_calls import END, FILE, batch, get, refused, upload

AT_ONCE = TasksSettings.model_fields["max_concurrent_imports_per_owner"].default


@pytest.fixture
def tasks_settings(stored: Stored) -> dict[str, Any]:
    return {"store_url": stored.url}


async def once(system, person, data: bytes = FILE, **options) -> import_pb2.Import:
    return await upload(system, person, data, allow_same_file=False, **options)


async def test_duplicate_file_is_refused_with_the_first_import_id(system, stored, database):
    sonu = await system.new_user("sonu")
    first = await once(system, sonu)
    code, reason, message = await refused(once(system, sonu))
    assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "DUPLICATE_FILE")
    assert first.id in message
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(1,)]
    assert stored.names() == [object_key(UUID(first.id))]
    assert stored.unfinished() == []
    assert (await upload(system, sonu, allow_same_file=True)).id != first.id


async def test_the_same_file_twice_at_once_is_one_import(system):
    sonu = await system.new_user("sonu")
    answers = await asyncio.gather(*(once(system, sonu) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(answer, import_pb2.Import) for answer in answers) == 1


async def test_only_successful_imports_of_the_owner_are_duplicates(system, worker):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    await once(system, mina)
    tried = await once(system, sonu, validate_only=True)
    await once(system, sonu, validate_only=True)
    cancelled = await once(system, sonu)
    request = import_service_pb2.CancelImportRequest(id=cancelled.id)
    await system.imports.CancelImport(request, metadata=sonu.metadata)
    assert (await once(system, sonu)).id not in {tried.id, cancelled.id}


@pytest.mark.parametrize("content", [b"", FILE[:-1], FILE.swapcase(), None])
async def test_a_stored_file_that_changed_ends_the_import_as_failed(system, stored, worker, content):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    assert await worker.read(lease, 0) == FILE
    stored.replace(object_key(UUID(queued.id)), content)
    assert (await refused(worker.read(lease, lease.checkpoint.offset)))[1] == "LEASE_LOST"
    failed = await get(system, sonu, queued.id)
    assert (failed.state, failed.failure.code) == (import_pb2.Import.STATE_FAILED, "STORED_FILE_CHANGED")


async def test_file_of_an_ended_import_expires(system, stored, worker, database):
    sonu = await system.new_user("sonu")
    ended, waiting = await upload(system, sonu), await upload(system, sonu, FILE + b"More\n")
    await worker.stream(await worker.claim(), END)
    store = ObstoreObjectStore(stored.url)
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        expire = DeleteExpiredUploads(
            begin=lambda: SqlImportsUnitOfWork(pool),
            read=lambda: SqlImportsReadSession(pool),
            store=store,
            now=lambda: datetime.now(UTC),
            retention=timedelta(hours=1),
        )
        assert await expire() == 0
        await database.execute("UPDATE tasks.imports SET finished_at = finished_at - interval '2 hours'")
        assert await expire() == 1
        assert await expire() == 0
    assert stored.names() == [object_key(UUID(waiting.id))]
    assert (await get(system, sonu, ended.id)).state == import_pb2.Import.STATE_SUCCEEDED


async def test_running_imports_of_an_owner_are_limited(system, worker):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    for _ in range(AT_ONCE + 1):
        await upload(system, sonu)
    leases = [await worker.claim() for _ in range(AT_ONCE)]
    assert all(leases)
    assert await worker.claim() is None
    others = await upload(system, mina)
    assert (await worker.claim()).import_id == others.id
    first = leases[0]
    await worker.stream(first, batch(first.checkpoint, ["a", "", ""], size=5), END)
    assert await worker.claim() is not None


async def test_concurrent_claims_respect_the_limit(system, worker):
    sonu = await system.new_user("sonu")
    for _ in range(AT_ONCE + 3):
        await upload(system, sonu)
    claims = await asyncio.gather(*(worker.claim() for _ in range(12)))
    assert sum(lease is not None for lease in claims) == AT_ONCE
