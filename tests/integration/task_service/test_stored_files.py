"""The same file again, files that change under an import, files that expire, and imports that wait for their owner."""

import asyncio
import gc
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import obstore
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from chassis.database.pool import open_pool
from task_service.clients.object_store import PART_BYTES, PIECE_BYTES, REQUEST_BYTES, ObstoreUploads
from task_service.domain.import_errors import OffsetBehindEnd, StoredFileChanged
from task_service.persistence.unit_of_work import SqlTasksReading, SqlTasksUnitOfWork
from task_service.settings import TasksSettings
from task_service.usecases.import_ports import StoredUpload
from task_service.usecases.uploads import ExpireUploads, object_key
from tests.integration.task_service.import_calls import END, FILE, batch, get, refused, upload
from tests.s3 import BUCKET

AT_ONCE = TasksSettings.model_fields["imports_at_once"].default


@dataclass(frozen=True)
class Stored:
    """What is stored, as an operator sees it."""

    url: str
    store: obstore.store.ObjectStore
    unfinished: Callable[[], list[str]]
    """Whatever is left of uploads that did not come to their end."""

    def names(self) -> list[str]:
        return [found["path"] for page in obstore.list(self.store) for found in page]

    def replace(self, key: str, content: bytes | None) -> None:
        obstore.delete(self.store, key)
        if content is not None:
            obstore.put(self.store, key, content)


@pytest.fixture(params=["folder", "S3"])
def stored(request, tmp_path, monkeypatch):
    """Each test runs on a folder and on a real S3 server, below a prefix of its own."""
    if request.param == "folder":
        folder = tmp_path / "uploads"
        store = obstore.store.LocalStore(folder, mkdir=True)
        return Stored(folder.as_uri(), store, lambda: [path.name for path in folder.rglob("*#*")])
    server = request.getfixturevalue("s3")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    prefix = f"some/{secrets.token_hex(4)}"
    return Stored(f"s3://{BUCKET}/{prefix}", server.store(prefix), server.unfinished)


@pytest.fixture
def tasks_settings(stored: Stored) -> dict[str, Any]:
    return {"store_url": stored.url}


async def once(system, person, data: bytes = FILE, **options) -> import_pb2.Import:
    return await upload(system, person, data, allow_same_file=False, **options)


async def test_the_same_file_again_is_refused_with_the_first_ones_id_and_nothing_is_kept(system, stored, databases):
    sonu = await system.person("sonu")
    first = await once(system, sonu)
    code, reason, message = await refused(once(system, sonu))
    assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "SAME_FILE_AGAIN")
    assert first.id in message
    assert await databases.execute("SELECT count(*) FROM tasks.imports") == [(1,)]
    assert stored.names() == [object_key(UUID(first.id))]
    assert stored.unfinished() == []
    assert (await upload(system, sonu, allow_same_file=True)).id != first.id


async def test_the_same_file_twice_at_once_is_one_import(system):
    sonu = await system.person("sonu")
    answers = await asyncio.gather(*(once(system, sonu) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(answer, import_pb2.Import) for answer in answers) == 1


async def test_another_owners_file_and_what_came_to_nothing_do_not_count(system, worker):
    sonu, mina = await system.person("sonu"), await system.person("mina")
    await once(system, mina)
    tried = await once(system, sonu, validate_only=True)
    await once(system, sonu, validate_only=True)
    cancelled = await once(system, sonu)
    request = import_service_pb2.CancelImportRequest(id=cancelled.id)
    await system.imports.CancelImport(request, metadata=sonu.metadata)
    assert (await once(system, sonu)).id not in {tried.id, cancelled.id}


@pytest.mark.parametrize("content", [b"", FILE[:-1], FILE.swapcase(), None])
async def test_a_stored_file_that_changed_ends_the_import_as_failed(system, stored, worker, content):
    sonu = await system.person("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    assert await worker.read(lease, 0) == FILE
    stored.replace(object_key(UUID(queued.id)), content)
    assert (await refused(worker.read(lease, lease.checkpoint.offset)))[1] == "LEASE_LOST"
    failed = await get(system, sonu, queued.id)
    assert (failed.state, failed.failure.code) == (import_pb2.Import.STATE_FAILED, "STORED_FILE_CHANGED")


async def test_the_file_of_an_import_that_ended_expires_and_the_import_stays(system, stored, worker, databases):
    sonu = await system.person("sonu")
    ended, waiting = await upload(system, sonu), await upload(system, sonu, FILE + b"More\n")
    await worker.stream(await worker.claim(), END)
    store = ObstoreUploads(stored.url)
    async with open_pool(databases.tasks_url, name="test", size=2) as pool:
        expire = ExpireUploads(
            begin=lambda: SqlTasksUnitOfWork(pool),
            read=lambda: SqlTasksReading(pool),
            store=store,
            now=lambda: datetime.now(UTC),
            keep=timedelta(hours=1),
        )
        assert await expire() == 0
        await databases.execute("UPDATE tasks.imports SET finished_at = finished_at - interval '2 hours'")
        assert await expire() == 1
        assert await expire() == 0
    assert stored.names() == [object_key(UUID(waiting.id))]
    assert (await get(system, sonu, ended.id)).state == import_pb2.Import.STATE_SUCCEEDED


async def test_an_owner_has_only_so_many_imports_running_and_the_next_begins_when_one_ends(system, worker):
    sonu, mina = await system.person("sonu"), await system.person("mina")
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


async def test_many_claims_at_once_do_not_exceed_what_an_owner_may_have_running(system, worker):
    sonu = await system.person("sonu")
    for _ in range(AT_ONCE + 3):
        await upload(system, sonu)
    claims = await asyncio.gather(*(worker.claim() for _ in range(12)))
    assert sum(lease is not None for lease in claims) == AT_ONCE


LARGE = b"title\n" + b"".join(b"Task number %d\n" % number for number in range(900_000))


async def pieces(data: bytes, size: int = 1_000_000):
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


async def stored_upload(store: ObstoreUploads, key: str, data: bytes) -> StoredUpload:
    return StoredUpload(len(data), b"", await store.put(key, pieces(data)))


async def all_of(store: ObstoreUploads, key: str, offset: int, upload: StoredUpload) -> list[bytes]:
    return [piece async for piece in store.read(key, offset, upload)]


async def test_a_file_of_many_parts_is_read_from_any_offset_in_pieces_that_fit_a_message(stored):
    store = ObstoreUploads(stored.url)
    assert len(LARGE) > 2 * PART_BYTES
    upload = await stored_upload(store, "large.csv", LARGE)
    for offset in (0, 1, REQUEST_BYTES - 1, REQUEST_BYTES, 2 * REQUEST_BYTES + 7, len(LARGE) - 1, len(LARGE)):
        read = await all_of(store, "large.csv", offset, upload)
        assert b"".join(read) == LARGE[offset:]
        assert all(0 < len(piece) <= PIECE_BYTES for piece in read)
    with pytest.raises(OffsetBehindEnd):
        await all_of(store, "large.csv", len(LARGE) + 1, upload)


async def test_a_file_that_changes_while_it_is_read_is_noticed(stored):
    store = ObstoreUploads(stored.url)
    upload = await stored_upload(store, "large.csv", LARGE)
    reading = store.read("large.csv", 0, upload)
    await anext(reading)
    stored.replace("large.csv", LARGE.swapcase())
    with pytest.raises(StoredFileChanged):
        await all_of_the_rest(reading)


async def all_of_the_rest(reading) -> None:
    async for _ in reading:
        pass


class Cut(Exception):
    """The sender broke off."""


async def cut_off(data: bytes):
    async for piece in pieces(data):
        yield piece
    raise Cut


async def test_a_stream_that_breaks_off_leaves_nothing_stored(stored):
    with pytest.raises(Cut):
        await ObstoreUploads(stored.url).put("cut.csv", cut_off(LARGE))
    assert (stored.names(), stored.unfinished()) == ([], [])


async def test_a_put_that_is_cancelled_leaves_nothing_stored(stored):
    """Its parts are there already, and the next piece never comes: as when a client hangs up in mid-file."""
    many_parts_arrived = asyncio.Event()

    async def stalled():
        async for piece in pieces(LARGE):
            yield piece
        many_parts_arrived.set()
        await asyncio.Event().wait()

    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    putting = asyncio.create_task(ObstoreUploads(stored.url).put("stalled.csv", stalled()))
    await many_parts_arrived.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert (stored.names(), stored.unfinished()) == ([], [])
    del putting
    for _ in range(10):  # until obstore's thread lets go of it, too
        await asyncio.to_thread(gc.collect)
        # What nobody has heard of is complained about now.
    assert complaints == []


async def test_an_upload_that_is_cut_in_the_middle_leaves_nothing(system, stored, databases):
    sonu = await system.person("sonu")
    for_ever = asyncio.Event()

    async def said():
        yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions())
        async for piece in pieces(LARGE):
            yield import_service_pb2.UploadImportRequest(chunk=piece)
        await for_ever.wait()

    call = system.imports.UploadImport(said(), metadata=sonu.metadata)
    while await databases.execute("SELECT count(*) FROM tasks.imports") != [(1,)]:
        pass
    call.cancel()
    while await databases.execute("SELECT count(*) FROM tasks.imports") != [(0,)]:
        pass
    assert (stored.names(), stored.unfinished()) == ([], [])


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(stored):
    store = ObstoreUploads(stored.url)
    upload = await stored_upload(store, "a.csv", FILE)
    assert stored.names() == ["a.csv"]
    for _ in range(2):
        await store.delete("a.csv")
    assert stored.names() == []
    with pytest.raises(StoredFileChanged):
        await all_of(store, "a.csv", 0, upload)
