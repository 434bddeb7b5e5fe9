"""Limits of open streams: their number, and the idle timeout of an upload."""

import asyncio
import secrets

import grpc
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.tasks.v1 import history_service_pb2

from chassis.rpc.errors import read_status
from tests.integration.task_service.import_calls import FILE, Worker, messages, upload
from tests.support.grpc_calls import refused

TIMEOUT_SECONDS = 20


@pytest.fixture
def tasks_settings():
    return {"max_streams_per_caller": 2, "upload_idle_timeout_seconds": 1}


async def stall_after(*first):
    """Yield these messages, then stall for ever."""
    for message in first:
        yield message
    await asyncio.Event().wait()


@pytest.mark.parametrize("sent", [0, 1, 2])
async def test_idle_upload_times_out_and_leaves_nothing(system, sonu, database, sent):
    first = [message async for message in messages(FILE, finish=False)][:sent]
    call = system.imports.UploadImport(stall_after(*first), metadata=sonu.metadata, timeout=TIMEOUT_SECONDS)
    status = await refused(call)
    assert (status.code, status.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "UPLOAD_IDLE")
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]
    assert [path for path in system.uploads.rglob("*") if path.is_file()] == []


async def test_slow_upload_without_idle_time_is_accepted(system, sonu):
    async def slow_messages():
        async for message in messages(FILE + secrets.token_hex(20).encode()):
            await asyncio.sleep(0.1)  # in total longer than the idle timeout
            yield message

    queued = await system.imports.UploadImport(slow_messages(), metadata=sonu.metadata, timeout=TIMEOUT_SECONDS)
    assert queued.bytes_total == len(FILE) + 40


async def test_stream_limit_counts_all_kinds_and_sessions(system, sonu):
    again = await system.login("sonu@example.com")
    request = history_service_pb2.WatchEventsRequest()
    watches = [system.history.WatchEvents(request, metadata=one.metadata) for one in (sonu, again)]
    for watch in watches:
        await watch.read()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await upload(system, sonu)
    status = read_status(caught.value)
    assert (status.code, status.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
    assert status.retry_after_seconds
    assert (await upload(system, await system.new_user("mona"))).id
    for watch in watches:
        watch.cancel()


async def test_worker_is_exempt_from_the_stream_limit(system, sonu):
    worker = Worker(system, await system.new_service("imports:ingest"))
    await upload(system, sonu)
    lease = await worker.claim()
    assert lease is not None
    open_message = ingest_pb2.IngestRowsRequest(
        open=ingest_pb2.IngestOpen(import_id=lease.import_id, fence=lease.fence)
    )
    streams = [system.ingest.IngestRows(stall_after(open_message), metadata=worker.metadata) for _ in range(4)]
    for stream in streams:
        assert (await stream.read()).HasField("checkpoint")
    for stream in streams:
        stream.cancel()
