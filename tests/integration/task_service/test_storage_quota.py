"""Storage quota: the files of one owner must not exceed it, even with concurrent uploads."""

import asyncio
from typing import Any
from uuid import UUID

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from chassis.database.pool import open_pool
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from tests.integration.task_service.import_calls import FILE, upload
from tests.support.grpc_calls import refused

TWO_FILES = 2 * len(FILE)
QUOTA_EXCEEDED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_QUOTA_EXCEEDED")


@pytest.fixture
def tasks_settings() -> dict[str, Any]:
    return {"max_stored_bytes_per_owner": TWO_FILES}


async def test_upload_above_the_quota_is_refused(system, database):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    stored = [await upload(system, sonu) for _ in range(2)]
    status = await refused(upload(system, sonu, b"title\n"))
    assert (status.code, status.reason) == QUOTA_EXCEEDED
    assert f" {TWO_FILES} bytes" in status.message
    assert {path.stem for path in system.uploads.rglob("*.csv*")} == {one.id for one in stored}
    assert (await upload(system, mina)).state == import_pb2.Import.STATE_QUEUED
    await database.execute(f"UPDATE tasks.imports SET file_stored = false WHERE id = '{stored[0].id}'")
    assert (await upload(system, sonu)).state == import_pb2.Import.STATE_QUEUED
    # The upload is refused as early as possible, not only at the end of the file.
    status = await refused(upload(system, sonu, b"title\n", finish=False))
    assert (status.code, status.reason) == QUOTA_EXCEEDED


async def test_concurrent_uploads_respect_the_quota(system):
    sonu = await system.new_user("sonu")
    arrived = asyncio.Barrier(5)

    async def messages():
        yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions(allow_same_file=True))
        yield import_service_pb2.UploadImportRequest(chunk=FILE)
        await arrived.wait()  # each upload alone fits into the quota
        yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=len(FILE)))

    calls = [system.imports.UploadImport(messages(), metadata=sonu.metadata) for _ in range(5)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    accepted = [result for result in results if isinstance(result, import_pb2.Import)]
    assert len(accepted) == 2
    assert {path.stem for path in system.uploads.rglob("*.csv*")} == {one.id for one in accepted}


async def test_quota_lock_is_per_owner(database):
    owner, other = UUID(int=1), UUID(int=2)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    async with open_pool(database.tasks_url, name="test", size=3) as pool:

        async def stored_bytes(owner_id: UUID) -> int:
            async with SqlImportsUnitOfWork(pool) as unit:
                return await unit.uploads.stored_bytes(owner_id)

        async with SqlImportsUnitOfWork(pool) as first:
            assert await first.uploads.stored_bytes(owner) == 0
            assert await stored_bytes(other) == 0
            second = asyncio.create_task(stored_bytes(owner))
            while await database.execute(waiting) != [(1,)]:
                assert not second.done()
        assert await second == 0
