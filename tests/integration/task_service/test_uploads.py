"""Uploads: what is taken, what is refused, and what is swept away."""

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
from tests.integration.task_service.import_calls import FILE, get, messages, refused, upload


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "EMPTY_FILE"),
        (b"\n", "EMPTY_FILE"),
        (b"name,notes\nx,y\n", "MISSING_TITLE_COLUMN"),
        (b"title,Subject\nx,y\n", "DUPLICATE_COLUMN"),
        (b'title,"notes\nx,y\n', "UNCLOSED_HEADER_QUOTE"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "UNSUPPORTED_FORMAT"),
        (b"PK\x03\x04\x14\0\0\0\x08\0title\n", "UNSUPPORTED_FORMAT"),
        (b"ti\0tle\nx\n", "NOT_CSV"),
        (b"t\xefitle\nx\n", "HEADER_NOT_UTF8"),
        (b"title," + b"x" * 3000 + b"\n", "HEADER_TOO_LONG"),
        (b"title," + b"x" * 3000, "HEADER_TOO_LONG"),
        (b"title" + b",x" * 50 + b"\n", "TOO_MANY_COLUMNS"),
        (b"x" * 1_000_000, "HEADER_TOO_LONG"),
    ],
)
async def test_file_without_a_usable_header_is_refused(system, database, data, reason):
    sonu = await system.new_user("sonu")
    code, found, message = await refused(upload(system, sonu, data))
    assert (code, found) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert message.endswith(".")
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]
    assert not list(system.uploads.rglob("*.csv*"))


@pytest.mark.parametrize("character", ["\0", "\a", "\x1b", "\n", "\x7f", "\x85", "\u2028"])
async def test_invalid_file_name_is_refused(system, database, character):
    sonu = await system.new_user("sonu")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await upload(system, sonu, file_name=f"a{character}b.csv")
    status = read_status(caught.value)
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CONTROL_CHARACTER_IN_FILE_NAME")
    assert [violation.field for violation in status.violations] == ["file_name"]
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]


async def test_a_file_name_of_any_language_is_kept_as_it_is(system):
    sonu = await system.new_user("sonu")
    assert (await upload(system, sonu, file_name="Überblick 任务 👍.csv")).file_name == "Überblick 任务 👍.csv"


async def test_without_finish_nothing_was_uploaded(system, database):
    sonu = await system.new_user("sonu")
    assert (await refused(upload(system, sonu, finish=False)))[1] == "UPLOAD_INCOMPLETE"
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]
    assert not list(system.uploads.rglob("*.csv*"))


async def test_a_size_that_does_not_fit_is_refused(system):
    sonu = await system.new_user("sonu")

    async def said():
        async for message in messages(FILE, finish=False):
            yield message
        yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=3))

    call = system.imports.UploadImport(said(), metadata=sonu.metadata)
    assert (await refused(call))[1:] == (
        "SIZE_MISMATCH",
        f"The upload announced 3 bytes, but {len(FILE)} arrived.",
    )


async def test_another_users_import_is_not_found(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    queued = await upload(system, sonu)
    assert (await refused(get(system, mina, queued.id)))[:2] == (grpc.StatusCode.NOT_FOUND, "IMPORT_NOT_FOUND")
    mine = await system.imports.ListImports(import_service_pb2.ListImportsRequest(), metadata=mina.metadata)
    assert not mine.imports


async def test_what_was_never_finished_is_swept_away(system, database):
    """As when the process that took the upload was killed: a row in state uploading, and part of a file."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    await database.execute("UPDATE tasks.imports SET state = 'uploading', created_at = now() - interval '1 day'")
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        sweep = DeleteAbandonedUploads(
            begin=lambda: SqlImportsUnitOfWork(pool),
            read=lambda: SqlImportsReadSession(pool),
            store=ObstoreObjectStore(system.uploads.as_uri()),
            now=lambda: datetime.now(UTC),
            older_than=timedelta(hours=1),
        )
        assert await sweep() == 1
    assert (await refused(get(system, sonu, queued.id)))[0] is grpc.StatusCode.NOT_FOUND
    assert not list(system.uploads.rglob("*.csv*"))


async def test_upload_with_a_lost_commit_response_keeps_its_file(system, database):
    """The process believes that the upload failed, and the database knows that it did not."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    store = ObstoreObjectStore(system.uploads.as_uri())
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        assert not await delete_upload(lambda: SqlImportsUnitOfWork(pool), store, UUID(queued.id))
    stored = system.uploads / object_key(UUID(queued.id))
    assert stored.read_bytes() == FILE
    assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_QUEUED
