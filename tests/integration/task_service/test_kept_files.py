"""The files of one owner take so much room and no more, however they come."""

import asyncio
from typing import Any
from uuid import UUID

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from chassis.database.pool import open_pool
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from tests.integration.task_service.import_calls import FILE, refused, upload

TWO_FILES = 2 * len(FILE)
REFUSAL = (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_QUOTA_EXCEEDED")


@pytest.fixture
def tasks_settings() -> dict[str, Any]:
    return {"max_stored_bytes_per_owner": TWO_FILES}


async def test_upload_above_the_quota_is_refused(system, database):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    kept = [await upload(system, sonu) for _ in range(2)]
    code, reason, message = await refused(upload(system, sonu, b"title\n"))
    assert (code, reason) == REFUSAL
    assert f" {TWO_FILES} bytes" in message
    assert {path.stem for path in system.uploads.rglob("*.csv*")} == {one.id for one in kept}
    assert (await upload(system, mina)).state == import_pb2.Import.STATE_QUEUED
    await database.execute(f"UPDATE tasks.imports SET file_stored = false WHERE id = '{kept[0].id}'")
    assert (await upload(system, sonu)).state == import_pb2.Import.STATE_QUEUED
    # As soon as it is known, and not only at the file's end.
    assert (await refused(upload(system, sonu, b"title\n", finish=False)))[:2] == REFUSAL


async def test_concurrent_uploads_respect_the_quota(system):
    sonu = await system.new_user("sonu")
    arrived = asyncio.Barrier(5)

    async def said():
        yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions(allow_same_file=True))
        yield import_service_pb2.UploadImportRequest(chunk=FILE)
        await arrived.wait()  # there was room for each of them
        yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=len(FILE)))

    calls = [system.imports.UploadImport(said(), metadata=sonu.metadata) for _ in range(5)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    taken = [answer for answer in answers if isinstance(answer, import_pb2.Import)]
    assert len(taken) == 2
    assert {path.stem for path in system.uploads.rglob("*.csv*")} == {one.id for one in taken}


async def test_quota_lock_is_per_owner(database):
    owner, other = UUID(int=1), UUID(int=2)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    async with open_pool(database.tasks_url, name="test", size=3) as pool:

        async def ask(whose: UUID) -> int:
            async with SqlImportsUnitOfWork(pool) as unit:
                return await unit.uploads.stored_bytes(whose)

        async with SqlImportsUnitOfWork(pool) as first:
            assert await first.uploads.stored_bytes(owner) == 0
            assert await ask(other) == 0
            second = asyncio.create_task(ask(owner))
            while await database.execute(waiting) != [(1,)]:
                assert not second.done()
        assert await second == 0
