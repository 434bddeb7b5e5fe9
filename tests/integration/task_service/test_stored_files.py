"""Stored files: duplicates, changed files, retention, and the limit of running imports of an owner."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import psycopg
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from chassis.database.pool import open_pool
from task_service.imports.clients.object_store import ObstoreObjectStore
from task_service.imports.persistence.unit_of_work import SqlImportsReadSession, SqlImportsUnitOfWork
from task_service.imports.usecases.upload_cleanup import DeleteExpiredUploads, object_key
from task_service.settings import TasksSettings
from tests.integration.task_service.conftest import Stored
from tests.integration.task_service.import_calls import END, FILE, batch, get, upload
from tests.integration.task_service.undo_calls import undo, wait_until_over
from tests.support.grpc_calls import refused

MAX_RUNNING = TasksSettings.model_fields["max_concurrent_imports_per_owner"].default


@pytest.fixture
def tasks_settings(stored: Stored) -> dict[str, Any]:
    return {"store_url": stored.url}


async def upload_once(system, user, data: bytes = FILE, **options) -> import_pb2.Import:
    return await upload(system, user, data, allow_same_file=False, **options)


async def test_duplicate_file_is_refused_with_the_first_import_id(system, stored, database):
    sonu = await system.new_user("sonu")
    first = await upload_once(system, sonu)
    status = await refused(upload_once(system, sonu))
    assert (status.code, status.reason) == (grpc.StatusCode.ALREADY_EXISTS, "DUPLICATE_FILE")
    assert status.message == (
        f"The same file was uploaded as the import {first.id}, which is queued."
        " Wait for its end, or cancel it (:cancel). Set allow_same_file to import the file again, or validate_only to"
        " check it with other options."
    )
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(1,)]
    assert stored.names() == [object_key(UUID(first.id))]
    assert stored.unfinished() == []
    assert (await upload(system, sonu, allow_same_file=True)).id != first.id


async def test_duplicate_file_says_what_its_import_does(system, worker, database):
    """An import that runs can't be undone, nor one whose undo is in progress. An undone one is no obstacle."""
    sonu = await system.new_user("sonu")
    first = await upload_once(system, sonu)

    async def expect_duplicate(state: str, advice: str) -> None:
        status = await refused(upload_once(system, sonu))
        assert dict(status.metadata) == {"import_id": first.id, "import_state": state}
        assert f"{first.id}, {advice}. Set" in status.message

    await expect_duplicate("queued", "which is queued. Wait for its end, or cancel it (:cancel)")
    lease = await worker.claim()
    await expect_duplicate("running", "which is running. Wait for its end, or cancel it (:cancel)")
    await worker.stream(lease, batch(lease.checkpoint, ["x", "", ""], size=20), END)
    await expect_duplicate("succeeded", "which has succeeded. Undo it first (:undo)")
    async with await psycopg.AsyncConnection.connect(database.tasks_url) as locking:
        await locking.execute("SELECT FROM tasks.tasks WHERE import_id = %s FOR UPDATE", [first.id])
        await undo(system, sonu, first.id)
        await expect_duplicate("undoing", "whose undo is in progress. Wait for its end")
    await wait_until_over(system, sonu, first.id)
    assert await upload_once(system, sonu)


async def test_failed_import_is_no_duplicate_file(system, worker):
    sonu = await system.new_user("sonu")
    first = await upload_once(system, sonu)
    lease = await worker.claim()
    failure = ingest_pb2.ParseFailure(code=ingest_pb2.ParseFailure.CODE_UNCLOSED_QUOTE, line=3)
    failed = ingest_pb2.IngestRowsRequest(finish=ingest_pb2.IngestFinish(failure=failure))
    await worker.stream(lease, batch(lease.checkpoint, ["x", "", ""], size=20), failed)
    ended = await get(system, sonu, first.id)
    assert (ended.state, ended.rows_created) == (import_pb2.Import.STATE_FAILED, 1)
    assert (await upload_once(system, sonu)).id != first.id


async def test_concurrent_uploads_of_one_file_are_one_import(system):
    sonu = await system.new_user("sonu")
    results = await asyncio.gather(*(upload_once(system, sonu) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, import_pb2.Import) for result in results) == 1


async def test_dry_runs_and_other_owners_are_no_duplicate_files(system, worker):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    await upload_once(system, mina)
    dry_run = await upload_once(system, sonu, validate_only=True)
    await upload_once(system, sonu, validate_only=True)
    cancelled = await upload_once(system, sonu)
    request = import_service_pb2.CancelImportRequest(id=cancelled.id)
    await system.imports.CancelImport(request, metadata=sonu.metadata)
    assert (await upload_once(system, sonu)).id not in {dry_run.id, cancelled.id}


async def test_import_without_effect_is_no_duplicate_file(system, worker):
    """A file whose first import created and changed no task can be uploaded again with other options."""
    sonu = await system.new_user("sonu")
    first = await upload_once(system, sonu)
    assert (await refused(upload_once(system, sonu))).reason == "DUPLICATE_FILE"  # it may still create tasks
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, ["", "", ""], ["x", "", "?"], size=20), END)
    done = await get(system, sonu, first.id)
    assert (done.state, done.rows_created, done.rows_failed) == (import_pb2.Import.STATE_SUCCEEDED, 0, 2)
    second = await upload_once(system, sonu)
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, ["x", "", ""], size=20), END)
    status = await refused(upload_once(system, sonu))
    assert (status.reason, second.id in status.message) == ("DUPLICATE_FILE", True)


async def test_import_that_only_updated_is_a_duplicate_file(system, worker):
    sonu = await system.new_user("sonu")
    rows = b"title,external_id\na,A-1\n"
    for title in ("a", "b"):
        data = rows.replace(b"\na", b"\n" + title.encode())
        updated = await upload_once(
            system, sonu, data, on_duplicate=import_service_pb2.UploadOptions.ON_DUPLICATE_UPDATE
        )
        lease = await worker.claim()
        await worker.stream(lease, batch(lease.checkpoint, [title, "A-1"], size=6), END)
    assert (await get(system, sonu, updated.id)).rows_updated == 1
    assert (await refused(upload_once(system, sonu, data))).reason == "DUPLICATE_FILE"


@pytest.mark.parametrize("content", [b"", FILE[:-1], FILE.swapcase(), None])
async def test_changed_stored_file_fails_the_import(system, stored, worker, content):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    assert await worker.read(lease, 0) == FILE
    stored.replace(object_key(UUID(queued.id)), content)
    assert (await refused(worker.read(lease, lease.checkpoint.offset))).reason == "LEASE_LOST"
    failed = await get(system, sonu, queued.id)
    assert (failed.state, failed.failure.code) == (import_pb2.Import.STATE_FAILED, "STORED_FILE_CHANGED")


async def test_copy_of_the_stored_file_is_read(system, stored, worker):
    """A copy of a store has other etags. The bytes count."""
    queued = await upload(system, await system.new_user("sonu"))
    lease = await worker.claim()
    stored.replace(object_key(UUID(queued.id)), FILE)
    assert await worker.read(lease, 0) == FILE
    assert await worker.read(lease, 1) == FILE[1:]


async def test_file_of_an_ended_import_expires(system, stored, worker, database):
    sonu = await system.new_user("sonu")
    uploaded = {(await upload(system, sonu, data)).id for data in (FILE, FILE + b"More\n")}
    lease = await worker.claim()
    await worker.stream(lease, END)
    [waiting] = uploaded - {lease.import_id}
    store = ObstoreObjectStore(stored.url)
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        delete_expired_uploads = DeleteExpiredUploads(
            begin=lambda: SqlImportsUnitOfWork(pool),
            read=lambda: SqlImportsReadSession(pool),
            store=store,
            now=lambda: datetime.now(UTC),
            retention=timedelta(hours=1),
        )
        assert await delete_expired_uploads() == 0
        await database.execute("UPDATE tasks.imports SET finished_at = finished_at - interval '2 hours'")
        assert await delete_expired_uploads() == 1
        assert await delete_expired_uploads() == 0
    assert stored.names() == [object_key(UUID(waiting))]
    assert (await get(system, sonu, lease.import_id)).state == import_pb2.Import.STATE_SUCCEEDED


async def test_running_imports_of_an_owner_are_limited(system, worker):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    for _ in range(MAX_RUNNING + 1):
        await upload(system, sonu)
    leases = [await worker.claim() for _ in range(MAX_RUNNING)]
    assert all(leases)
    assert await worker.claim() is None
    waiting_import = await upload(system, mina)
    assert (await worker.claim()).import_id == waiting_import.id
    first = leases[0]
    await worker.stream(first, batch(first.checkpoint, ["a", "", ""], size=5), END)
    assert await worker.claim() is not None


async def test_concurrent_claims_respect_the_limit(system, worker):
    sonu = await system.new_user("sonu")
    for _ in range(MAX_RUNNING + 3):
        await upload(system, sonu)
    claims = await asyncio.gather(*(worker.claim() for _ in range(12)))
    assert sum(lease is not None for lease in claims) == MAX_RUNNING
