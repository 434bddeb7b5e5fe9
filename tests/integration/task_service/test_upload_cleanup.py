"""Cleanup of abandoned uploads: nothing stays, even if the upload continues after it."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from taskmanager.imports.v1 import import_service_pb2
from uuid_utils.compat import uuid7

from chassis.database.pool import open_pool
from chassis.kernel.errors import Unavailable
from task_service.imports.clients.object_store import ObstoreObjectStore
from task_service.imports.persistence.unit_of_work import SqlImportsReadSession, SqlImportsUnitOfWork
from task_service.imports.usecases.upload_cleanup import (
    DeleteAbandonedUploads,
    DeleteExpiredUploads,
    delete_upload,
    object_key,
)
from tests.integration.task_service.conftest import Stored
from tests.integration.task_service.import_calls import FILE
from tests.support.grpc_calls import refused
from tests.support.waiting import until_awaited

LOCK_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def tasks_settings(stored: Stored) -> dict[str, Any]:
    return {"store_url": stored.url}


class SlowObjectStore:
    """Object store whose deletes wait until the test allows them."""

    def __init__(self, store: ObstoreObjectStore) -> None:
        self._store = store
        self.delete_called, self.may_delete = asyncio.Event(), asyncio.Event()
        self.put, self.read = store.put, store.read

    async def delete(self, key: str) -> None:
        self.delete_called.set()
        await self.may_delete.wait()
        await self._store.delete(key)


@asynccontextmanager
async def unfinished_upload(system, database, *, announced_size: int = len(FILE)):
    """Start an upload without its last message. Yield the import id, the call, an event that sends it, and sessions."""
    user = await system.new_user("sonu")
    finish = asyncio.Event()

    async def messages():
        yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions())
        yield import_service_pb2.UploadImportRequest(chunk=FILE)
        await finish.wait()
        yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=announced_size))

    call = asyncio.ensure_future(refused(system.imports.UploadImport(messages(), metadata=user.metadata)))
    while not (import_rows := await database.execute("SELECT id FROM tasks.imports")):
        assert not call.done()
    async with open_pool(database.tasks_url, name="test", size=1) as pool:
        yield import_rows[0][0], call, finish, lambda: SqlImportsUnitOfWork(pool)


async def test_upload_finishing_during_the_cleanup_is_refused(system, stored, database):
    store = SlowObjectStore(ObstoreObjectStore(stored.url))
    async with unfinished_upload(system, database) as (import_id, call, finish, begin):
        deleting = asyncio.ensure_future(delete_upload(begin, store, import_id))
        await store.delete_called.wait()
        finish.set()
        while await database.execute(LOCK_WAITS) != [(1,)]:
            assert not call.done()
        store.may_delete.set()
        assert await deleting
        assert (await call).reason == "UPLOAD_INCOMPLETE"
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]
    assert stored.names() == []


async def test_cancellation_does_not_stop_the_deletion(system, database):
    """A refused upload leaves no import if its client vanishes while the upload is being deleted."""
    mina = await system.new_user("mina")
    async with unfinished_upload(system, database, announced_size=1) as (import_id, call, finish, begin):
        async with begin() as work:
            await work.uploads.lock_uploading(import_id)
            finish.set()
            while await database.execute(LOCK_WAITS) != [(1,)]:
                assert not call.done()
            call.cancel()
            # The server processes the messages of a connection in order: after this call it knows of the cancellation.
            await system.imports.ListImports(import_service_pb2.ListImportsRequest(), metadata=mina.metadata)

        async def is_deleted() -> bool:
            return await database.execute("SELECT id FROM tasks.imports") == []

        await until_awaited(is_deleted)


class RefusingObjectStore:
    """Object store that can't delete some objects. It accepts every other delete."""

    def __init__(self, *refused_keys: str) -> None:
        self._refused_keys = refused_keys

    async def delete(self, key: str) -> None:
        if key in self._refused_keys:
            raise Unavailable


@pytest.mark.parametrize(
    ("cleanup", "state", "remaining"),
    [
        (DeleteAbandonedUploads, "uploading", "SELECT id FROM tasks.imports"),
        (DeleteExpiredUploads, "succeeded", "SELECT id FROM tasks.imports WHERE file_stored"),
    ],
)
async def test_cleanup_continues_after_failed_deletes(database, cleanup, state, remaining):
    """Files that can't be deleted do not keep the cleanup from the files behind them."""
    refused_ids, other_ids = [uuid7() for _ in range(2)], [uuid7() for _ in range(2)]
    for age, import_id in enumerate(reversed((*refused_ids, *other_ids)), start=1):
        await database.execute(
            "INSERT INTO tasks.imports (id, owner_id, actor_id, actor_role, request_id, state, file_name, created_at,"
            f" finished_at, file_stored) SELECT '{import_id}', uuidv7(), uuidv7(), 'user', 'r', '{state}', 'f', moment,"
            f" moment, true FROM (SELECT now() - interval '{age} hours') AS age (moment)"
        )
    option = "older_than" if cleanup is DeleteAbandonedUploads else "retention"
    async with open_pool(database.tasks_url, name="test", size=1) as pool:
        delete_uploads = cleanup(
            begin=lambda: SqlImportsUnitOfWork(pool),
            read=lambda: SqlImportsReadSession(pool),
            store=RefusingObjectStore(*map(object_key, refused_ids)),
            now=lambda: datetime.now(UTC),
            **{option: timedelta(minutes=30)},
        )
        with pytest.raises(Unavailable):
            await delete_uploads()
    assert {row[0] for row in await database.execute(remaining)} == set(refused_ids)


async def test_upload_finishing_after_the_cleanup_leaves_no_file(system, stored, database):
    async with unfinished_upload(system, database) as (import_id, call, finish, begin):
        assert await delete_upload(begin, ObstoreObjectStore(stored.url), import_id)
        finish.set()
        # In a folder, the cleanup has deleted the staging file of the upload.
        assert (await call).reason in {"UPLOAD_INCOMPLETE", "UNAVAILABLE"}
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]
    assert stored.names() == []
    assert stored.unfinished() == []
