"""Files in a folder and in S3: whole or not at all, read from any byte, and noticed when they change."""

import asyncio
import gc
from typing import Any

import pytest
from taskmanager.imports.v1 import import_service_pb2

from task_service.imports.clients.object_store import CHUNK_BYTES, PART_BYTES, REQUEST_BYTES, ObstoreObjectStore
from task_service.imports.domain.errors import OffsetBehindEnd, StoredFileChanged
from task_service.imports.usecases.ports import StoredUpload
from tests.integration.task_service.conftest import Stored
from tests.integration.task_service.import_calls import FILE

LARGE = b"title\n" + b"".join(b"Task number %d\n" % number for number in range(900_000))


@pytest.fixture
def tasks_settings(stored: Stored) -> dict[str, Any]:
    return {"store_url": stored.url}


async def pieces(data: bytes, size: int = 1_000_000):
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


async def stored_upload(store: ObstoreObjectStore, key: str, data: bytes) -> StoredUpload:
    return StoredUpload(len(data), b"", await store.put(key, pieces(data)))


async def all_of(store: ObstoreObjectStore, key: str, offset: int, upload: StoredUpload) -> list[bytes]:
    return [piece async for piece in store.read(key, offset, upload)]


async def test_multipart_object_is_read_from_any_offset(stored):
    store = ObstoreObjectStore(stored.url)
    assert len(LARGE) > 2 * PART_BYTES
    upload = await stored_upload(store, "large.csv", LARGE)
    for offset in (0, 1, REQUEST_BYTES - 1, REQUEST_BYTES, 2 * REQUEST_BYTES + 7, len(LARGE) - 1, len(LARGE)):
        read = await all_of(store, "large.csv", offset, upload)
        assert b"".join(read) == LARGE[offset:]
        assert all(0 < len(piece) <= CHUNK_BYTES for piece in read)
    with pytest.raises(OffsetBehindEnd):
        await all_of(store, "large.csv", len(LARGE) + 1, upload)


async def test_a_file_that_changes_while_it_is_read_is_noticed(stored):
    store = ObstoreObjectStore(stored.url)
    upload = await stored_upload(store, "large.csv", LARGE)
    reading = store.read("large.csv", 0, upload)
    await anext(reading)
    stored.replace("large.csv", LARGE.swapcase())
    with pytest.raises(StoredFileChanged):
        await all_of_the_rest(reading)


async def all_of_the_rest(reading) -> None:
    async for _ in reading:
        pass


async def all_parts_to_arrive(stored: Stored) -> None:
    """A part that is on its way while the others are removed may come after that, and stay."""
    while await asyncio.to_thread(stored.parts) < len(LARGE) // PART_BYTES:
        pass


class Cut(Exception):
    """The sender broke off."""


async def cut_off(stored: Stored):
    async for piece in pieces(LARGE):
        yield piece
    await all_parts_to_arrive(stored)
    raise Cut


async def test_a_stream_that_breaks_off_leaves_nothing_stored(stored):
    with pytest.raises(Cut):
        await ObstoreObjectStore(stored.url).put("cut.csv", cut_off(stored))
    assert (stored.names(), stored.unfinished()) == ([], [])


async def test_a_put_that_is_cancelled_leaves_nothing_stored(stored):
    """Its parts are there already, and the next piece never comes: as when a client hangs up in mid-file."""
    all_sent = asyncio.Event()

    async def stalled():
        async for piece in pieces(LARGE):
            yield piece
        all_sent.set()
        await asyncio.Event().wait()

    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    putting = asyncio.create_task(ObstoreObjectStore(stored.url).put("stalled.csv", stalled()))
    await all_sent.wait()
    await all_parts_to_arrive(stored)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert (stored.names(), stored.unfinished()) == ([], [])
    del putting
    for _ in range(10):  # until obstore's thread lets go of it, too: what nobody has heard of is complained about then
        await asyncio.to_thread(gc.collect)
    assert complaints == []


async def test_an_upload_that_is_cut_in_the_middle_leaves_nothing(system, stored, database):
    sonu = await system.new_user("sonu")
    for_ever = asyncio.Event()

    async def said():
        yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions())
        async for piece in pieces(LARGE):
            yield import_service_pb2.UploadImportRequest(chunk=piece)
        await for_ever.wait()

    call = system.imports.UploadImport(said(), metadata=sonu.metadata)
    while await database.execute("SELECT count(*) FROM tasks.imports") != [(1,)]:
        pass
    await all_parts_to_arrive(stored)
    call.cancel()
    while await database.execute("SELECT count(*) FROM tasks.imports") != [(0,)]:
        pass
    assert (stored.names(), stored.unfinished()) == ([], [])


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(stored):
    store = ObstoreObjectStore(stored.url)
    upload = await stored_upload(store, "a.csv", FILE)
    assert stored.names() == ["a.csv"]
    for _ in range(2):
        await store.delete("a.csv")
    assert stored.names() == []
    with pytest.raises(StoredFileChanged):
        await all_of(store, "a.csv", 0, upload)
