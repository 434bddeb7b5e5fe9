"""Uploads: accepted and refused files, and the cleanup of unfinished ones."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from chassis.database.pool import open_pool
from chassis.rpc.errors import read_status
from task_service.imports.clients.object_store import ObstoreObjectStore
from task_service.imports.persistence.unit_of_work import SqlImportsReadSession, SqlImportsUnitOfWork
from task_service.imports.usecases.upload_cleanup import DeleteAbandonedUploads, delete_upload, object_key
from tests.integration.task_service.import_calls import FILE, get, messages, upload
from tests.support.grpc_calls import refused


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "EMPTY_FILE"),
        (b"\n", "EMPTY_FILE"),
        (b"label,notes\nx,y\n", "MISSING_TITLE_COLUMN"),
        (b"title,Title\nx,y\n", "DUPLICATE_COLUMN"),
        (b'title,"notes\nx,y\n', "UNCLOSED_HEADER_QUOTE"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "UNSUPPORTED_FORMAT"),
        (b"PK\x03\x04\x14\0\0\0\x08\0title\n", "UNSUPPORTED_FORMAT"),
        (b"ti\0tle\nx\n", "NOT_CSV"),
        (b"t\xefitle\nx\n", "HEADER_NOT_UTF8"),
        (b"title," + b"x" * 70_000 + b"\n", "HEADER_TOO_LONG"),
        (b"title," + b"x" * 70_000, "HEADER_TOO_LONG"),
        (b"title" + b",x" * 1000 + b"\n", "TOO_MANY_COLUMNS"),
        (b"x" * 1_000_000, "HEADER_TOO_LONG"),
    ],
)
async def test_file_without_a_usable_header_is_refused(system, database, data, reason):
    sonu = await system.new_user("sonu")
    status = await refused(upload(system, sonu, data))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert status.message.endswith(".")
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]
    assert not list(system.uploads.rglob("*.csv*"))


@pytest.mark.parametrize("character", ["\0", "\a", "\x1b", "\n", "\x7f", "\x85", "\u2028"])
async def test_invalid_file_name_is_refused(system, database, character):
    sonu = await system.new_user("sonu")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await upload(system, sonu, file_name=f"a{character}b.csv")
    status = read_status(caught.value)
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CONTROL_CHARACTER_IN_FILE_NAME")
    assert [violation.field for violation in status.violations] == ["options.file_name"]
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]


async def test_file_name_is_stored_unchanged(system):
    sonu = await system.new_user("sonu")
    assert (await upload(system, sonu, file_name="Überblick 任务 👍.csv")).file_name == "Überblick 任务 👍.csv"


async def test_upload_without_finish_stores_nothing(system, database):
    sonu = await system.new_user("sonu")
    assert (await refused(upload(system, sonu, finish=False))).reason == "UPLOAD_INCOMPLETE"
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]
    assert not list(system.uploads.rglob("*.csv*"))


async def test_wrong_size_is_refused(system):
    sonu = await system.new_user("sonu")

    async def requests():
        async for message in messages(FILE, finish=False):
            yield message
        yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=3))

    call = system.imports.UploadImport(requests(), metadata=sonu.metadata)
    status = await refused(call)
    assert (status.reason, status.message) == (
        "SIZE_MISMATCH",
        f"The upload announced 3 bytes, but {len(FILE)} arrived.",
    )


async def test_another_users_import_is_not_found(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    queued = await upload(system, sonu)
    status = await refused(get(system, mina, queued.id))
    assert (status.code, status.reason) == (grpc.StatusCode.NOT_FOUND, "IMPORT_NOT_FOUND")
    page = await system.imports.ListImports(import_service_pb2.ListImportsRequest(), metadata=mina.metadata)
    assert not page.imports


async def test_unfinished_upload_is_deleted(system, database):
    """A killed process leaves a row in state uploading and a part of the file."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    await database.execute("UPDATE tasks.imports SET state = 'uploading', created_at = now() - interval '1 day'")
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        delete_abandoned_uploads = DeleteAbandonedUploads(
            begin=lambda: SqlImportsUnitOfWork(pool),
            read=lambda: SqlImportsReadSession(pool),
            store=ObstoreObjectStore(system.uploads.as_uri()),
            now=lambda: datetime.now(UTC),
            older_than=timedelta(hours=1),
        )
        assert await delete_abandoned_uploads() == 1
    assert (await refused(get(system, sonu, queued.id))).code is grpc.StatusCode.NOT_FOUND
    assert not list(system.uploads.rglob("*.csv*"))


async def test_upload_with_a_lost_commit_response_keeps_its_file(system, database):
    """For the process the upload has failed, but the transaction is committed."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    store = ObstoreObjectStore(system.uploads.as_uri())
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        assert not await delete_upload(lambda: SqlImportsUnitOfWork(pool), store, UUID(queued.id))
    stored = system.uploads / object_key(UUID(queued.id))
    assert stored.read_bytes() == FILE
    assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_QUEUED
