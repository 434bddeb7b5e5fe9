"""Outage of the object store: calls are UNAVAILABLE, and no import fails."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from chassis.database.pool import open_pool
from chassis.kernel.errors import Unavailable
from task_service.imports.clients import object_store
from task_service.imports.clients.object_store import ObstoreObjectStore
from task_service.imports.persistence.unit_of_work import SqlImportsReadSession, SqlImportsUnitOfWork
from task_service.imports.usecases.leases import MAX_ATTEMPTS_WITHOUT_PROGRESS
from task_service.imports.usecases.ports import StoredUpload
from task_service.imports.usecases.upload_cleanup import DeleteAbandonedUploads, DeleteExpiredUploads
from tests.integration.task_service.import_calls import END, FILE, Worker, batch, end_postponement, get, upload
from tests.support.grpc_calls import refused
from tests.support.s3_server import BUCKET, EmbeddedS3
from tests.support.system import running_system

CHUNK_BYTES = 1024 * 1024
URL = f"s3://{BUCKET}/outage"


@pytest.fixture
def server(tmp_path, monkeypatch) -> EmbeddedS3:
    """Return an S3 server that is not running yet, and set the client's environment."""
    monkeypatch.setattr(object_store, "MAX_RETRIES", 1)
    embedded_s3 = EmbeddedS3(tmp_path / "s3")
    for name, value in embedded_s3.server.environment.items():
        monkeypatch.setenv(name, value)
    return embedded_s3


@pytest.fixture
def tasks_settings(server: EmbeddedS3) -> dict[str, Any]:
    return {"store_url": URL}


@pytest_asyncio.fixture
async def system(server: EmbeddedS3, database, redis_url, tmp_path, tasks_settings):
    """Services that have started while the store responded, as they must. The outage begins afterwards."""
    async with AsyncExitStack() as stack:
        async with server:
            running = await stack.enter_async_context(
                running_system(database, redis_url=redis_url, uploads=tmp_path, tasks_settings=tasks_settings)
            )
        yield running


async def one_chunk():
    yield FILE


async def read_all(call) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def assert_every_call_is_unavailable(store):
    for call in (
        store.put("a.csv", one_chunk()),
        anext(aiter(store.read("a.csv", 0, StoredUpload(1, b"", "")))),
        store.delete("a.csv"),
    ):
        with pytest.raises(Unavailable):
            await call


async def test_calls_are_unavailable_during_an_outage(server):
    await assert_every_call_is_unavailable(ObstoreObjectStore(URL))


async def test_rejected_credentials_count_as_an_outage(server, monkeypatch):
    """Only an operator can fix the credentials. Neither imports nor background tasks may end for it."""
    async with server:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        await assert_every_call_is_unavailable(ObstoreObjectStore(URL))


async def test_upload_fails_in_an_outage_and_is_deleted_later(system, server, database):
    sonu = await system.new_user("sonu")
    status = await refused(upload(system, sonu))
    assert (status.code, status.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert await database.execute("SELECT state FROM tasks.imports") == [("uploading",)]
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        delete_abandoned_uploads = DeleteAbandonedUploads(
            begin=lambda: SqlImportsUnitOfWork(pool),
            read=lambda: SqlImportsReadSession(pool),
            store=ObstoreObjectStore(URL),
            now=lambda: datetime.now(UTC),
            older_than=timedelta(),
        )
        with pytest.raises(Unavailable):
            await delete_abandoned_uploads()
        async with server:
            assert await delete_abandoned_uploads() == 1
    assert await database.execute("SELECT state FROM tasks.imports") == []


async def test_expired_file_is_deleted_after_the_outage(system, server, database):
    """file_stored stays true until the store has deleted the file."""
    worker = Worker(system, await system.new_service("imports:ingest"))
    async with server:
        await upload(system, await system.new_user("sonu"))
        lease = await worker.claim()
        assert lease is not None
        await worker.stream(lease, END)
    file_stored = "SELECT file_stored FROM tasks.imports"
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        delete_expired_uploads = DeleteExpiredUploads(
            begin=lambda: SqlImportsUnitOfWork(pool),
            read=lambda: SqlImportsReadSession(pool),
            store=ObstoreObjectStore(URL),
            now=lambda: datetime.now(UTC) + timedelta(hours=1),
            retention=timedelta(),
        )
        with pytest.raises(Unavailable):
            await delete_expired_uploads()
        assert await database.execute(file_stored) == [(True,)]
        async with server:
            assert await delete_expired_uploads() == 1
            assert [found for page in server.server.store("outage").list() for found in page] == []
    assert await database.execute(file_stored) == [(False,)]


async def test_import_waits_for_the_object_store(system, server, database):
    """It waits even when it is claimed more often than the limit for attempts without progress."""
    sonu = await system.new_user("sonu")
    worker = Worker(system, await system.new_service("imports:ingest"))
    async with server:
        queued = await upload(system, sonu)
    for _ in range(MAX_ATTEMPTS_WITHOUT_PROGRESS + 2):
        async with asyncio.timeout(20):
            lease = await worker.claim()
        assert lease is not None
        assert (await refused(worker.read(lease, lease.checkpoint.offset))).reason == "UNAVAILABLE"
        waiting = await get(system, sonu, queued.id)
        assert waiting.state == import_pb2.Import.STATE_QUEUED
        assert waiting.waits_for == import_pb2.Import.WAITS_FOR_OBJECT_STORE
        await end_postponement(database)
    async with server:
        lease = await worker.claim()
        assert lease is not None
        data = await worker.read(lease, lease.checkpoint.offset)
        assert data == FILE[lease.checkpoint.offset :]
        await worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], size=len(data)), END)
    assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_SUCCEEDED


async def test_outage_during_a_read_keeps_the_earlier_rows(system, server, database):
    """An import whose file becomes unreadable in its middle waits, and then continues after its last batch."""
    sonu = await system.new_user("sonu")
    worker = Worker(system, await system.new_service("imports:ingest"))
    file = b"title\n" + b"x\n" * (2 * object_store.REQUEST_BYTES)

    async def requests():
        yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions())
        for begin in range(0, len(file), CHUNK_BYTES):
            yield import_service_pb2.UploadImportRequest(chunk=file[begin : begin + CHUNK_BYTES])
        yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=len(file)))

    async with server:
        queued = await system.imports.UploadImport(requests(), metadata=sonu.metadata)
        lease = await worker.claim()
        assert lease is not None
        first = batch(lease.checkpoint, ["x"], size=len(b"x\n"))
        request = ingest_pb2.ReadUploadRequest(
            import_id=lease.import_id, fence=lease.fence, offset=lease.checkpoint.offset
        )
        reading = system.ingest.ReadUpload(request, metadata=worker.metadata)
        assert await reading.read()
        await worker.stream(lease, first)
    assert (await refused(read_all(reading))).reason == "UNAVAILABLE"
    waiting = await get(system, sonu, queued.id)
    assert (waiting.state, waiting.rows_created) == (import_pb2.Import.STATE_QUEUED, 1)
    assert waiting.waits_for == import_pb2.Import.WAITS_FOR_OBJECT_STORE
    await end_postponement(database)
    async with server:
        lease = await worker.claim()
        assert lease is not None
        assert lease.checkpoint == first.batch.end
        assert await worker.read(lease, lease.checkpoint.offset) == file[lease.checkpoint.offset :]
