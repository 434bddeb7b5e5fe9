"""Object store in a folder and in S3: atomic writes, reads from any offset, detection of changes."""

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


async def chunks(data: bytes, size: int = 1_000_000):
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


async def stored_upload(store: ObstoreObjectStore, key: str, data: bytes) -> StoredUpload:
    return StoredUpload(len(data), b"", await store.put(key, chunks(data)))


async def read_chunks(store: ObstoreObjectStore, key: str, offset: int, upload: StoredUpload) -> list[bytes]:
    return [chunk async for chunk in store.read(key, offset, upload)]


async def test_large_file_is_read_from_any_offset_in_chunks(stored):
    store = ObstoreObjectStore(stored.url)
    assert len(LARGE) > 2 * PART_BYTES
    upload = await stored_upload(store, "large.csv", LARGE)
    for offset in (0, 1, REQUEST_BYTES - 1, REQUEST_BYTES, 2 * REQUEST_BYTES + 7, len(LARGE) - 1, len(LARGE)):
        read = await read_chunks(store, "large.csv", offset, upload)
        assert b"".join(read) == LARGE[offset:]
        assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in read)
    with pytest.raises(OffsetBehindEnd):
        await read_chunks(store, "large.csv", len(LARGE) + 1, upload)


async def test_change_during_a_read_is_detected(stored):
    store = ObstoreObjectStore(stored.url)
    upload = await stored_upload(store, "large.csv", LARGE)
    reading = store.read("large.csv", 0, upload)
    await anext(reading)
    stored.replace("large.csv", LARGE.swapcase())
    with pytest.raises(StoredFileChanged):
        await drain(reading)


async def drain(reading) -> None:
    async for _ in reading:
        pass


async def wait_for_all_parts(stored: Stored) -> None:
    """Wait until the store has every part: a part that arrives after the removal of the others would stay."""
    while await asyncio.to_thread(stored.parts) < len(LARGE) // PART_BYTES:
        pass


class StreamBroken(Exception):
    """The client's stream broke."""


async def broken_stream(stored: Stored):
    async for chunk in chunks(LARGE):
        yield chunk
    await wait_for_all_parts(stored)
    raise StreamBroken


async def test_broken_stream_leaves_nothing_stored(stored):
    with pytest.raises(StreamBroken):
        await ObstoreObjectStore(stored.url).put("cut.csv", broken_stream(stored))
    assert (stored.names(), stored.unfinished()) == ([], [])


async def test_cancelled_put_leaves_nothing_stored(stored):
    """All parts are stored, and the next chunk never comes, as when a client disconnects during an upload."""
    all_sent = asyncio.Event()

    async def stalled():
        async for chunk in chunks(LARGE):
            yield chunk
        all_sent.set()
        await asyncio.Event().wait()

    reported_errors: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported_errors.append(context["message"]))
    putting = asyncio.create_task(ObstoreObjectStore(stored.url).put("stalled.csv", stalled()))
    await all_sent.wait()
    await wait_for_all_parts(stored)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert (stored.names(), stored.unfinished()) == ([], [])
    del putting
    for _ in range(10):  # until obstore's thread releases it; an unretrieved exception is reported then
        await asyncio.to_thread(gc.collect)
    assert reported_errors == []


async def test_cancelled_upload_leaves_nothing(system, stored, database):
    sonu = await system.new_user("sonu")
    never = asyncio.Event()

    async def requests():
        yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions())
        async for chunk in chunks(LARGE):
            yield import_service_pb2.UploadImportRequest(chunk=chunk)
        await never.wait()

    call = system.imports.UploadImport(requests(), metadata=sonu.metadata)
    while await database.execute("SELECT count(*) FROM tasks.imports") != [(1,)]:
        pass
    await wait_for_all_parts(stored)
    call.cancel()
    while await database.execute("SELECT count(*) FROM tasks.imports") != [(0,)]:
        pass
    assert (stored.names(), stored.unfinished()) == ([], [])


async def test_delete_is_idempotent(stored):
    store = ObstoreObjectStore(stored.url)
    upload = await stored_upload(store, "a.csv", FILE)
    assert stored.names() == ["a.csv"]
    for _ in range(2):
        await store.delete("a.csv")
    assert stored.names() == []
    with pytest.raises(StoredFileChanged):
        await read_chunks(store, "a.csv", 0, upload)
