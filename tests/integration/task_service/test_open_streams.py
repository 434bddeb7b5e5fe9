"""Streams that stay open: how many, and for how long with nothing in them."""

import asyncio
import secrets

import grpc
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.tasks.v1 import history_service_pb2

from chassis.rpc.errors import read_status
from tests.integration.task_service.import_calls import FILE, Worker, messages, refused, upload

SECONDS = 20


@pytest.fixture
def tasks_settings():
    return {"max_streams_per_caller": 2, "upload_idle_timeout_seconds": 1}


async def silent(*first):
    """An upload that sends these and then nothing, and never ends."""
    for message in first:
        yield message
    await asyncio.Event().wait()


@pytest.mark.parametrize("sent", [0, 1, 2])
async def test_an_upload_of_which_nothing_more_comes_is_told_so_and_leaves_nothing(system, sonu, database, sent):
    first = [message async for message in messages(FILE, finish=False)][:sent]
    call = system.imports.UploadImport(silent(*first), metadata=sonu.metadata, timeout=SECONDS)
    code, reason, _ = await refused(call)
    assert (code, reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "UPLOAD_IDLE")
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]
    assert [path for path in system.uploads.rglob("*") if path.is_file()] == []


async def test_an_upload_that_is_slow_but_never_silent_is_taken(system, sonu):
    async def slowly():
        async for message in messages(FILE + secrets.token_hex(20).encode()):
            await asyncio.sleep(0.1)  # what makes it slow: together longer than it may be silent
            yield message

    queued = await system.imports.UploadImport(slowly(), metadata=sonu.metadata, timeout=SECONDS)
    assert queued.bytes_total == len(FILE) + 40


async def test_a_user_has_so_many_streams_of_all_kinds_and_sessions_together(system, sonu):
    again = await system.login("sonu@example.com")
    request = history_service_pb2.WatchEventsRequest()
    watches = [system.history.WatchEvents(request, metadata=one.metadata) for one in (sonu, again)]
    for watch in watches:
        await watch.read()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await upload(system, sonu)
    status = read_status(caught.value)
    assert (status.code, status.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
    assert status.retry_after
    assert (await upload(system, await system.new_user("mona"))).id
    for watch in watches:
        watch.cancel()


async def test_a_worker_has_as_many_as_it_needs(system, sonu):
    worker = Worker(system, await system.new_service("imports:ingest"))
    await upload(system, sonu)
    lease = await worker.claim()
    assert lease is not None
    opening = ingest_pb2.IngestRowsRequest(open=ingest_pb2.IngestOpen(import_id=lease.import_id, fence=lease.fence))
    streams = [system.ingest.IngestRows(silent(opening), metadata=worker.metadata) for _ in range(4)]
    for stream in streams:
        assert (await stream.read()).HasField("checkpoint")
    for stream in streams:
        stream.cancel()
