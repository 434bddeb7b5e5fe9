"""Server streams: server-sent events by default, NDJSON on request."""

import asyncio
import json

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2

from chassis.rpc.errors import RichStatus
from tests.integration.gateway.access_lines import access_lines, captured_logs
from tests.integration.gateway.raw_http import connected

WATCH = "/api/v1/imports/i1:watch"


def stream_states(*names):
    async def reply(_request, _context):
        for name in names:
            yield import_pb2.Import(id="i1", state=import_pb2.Import.State.Value(f"STATE_{name}"))

    return reply


async def abort_not_found(context):
    await RichStatus(grpc.StatusCode.NOT_FOUND, "There is no such import.", "IMPORT_NOT_FOUND").abort(context)


async def test_each_message_is_a_server_sent_event(rest, services):
    services.handlers["WatchImport"] = stream_states("QUEUED", "RUNNING", "SUCCEEDED")
    response = await rest.get(WATCH, headers={"authorization": "Bearer abc"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    assert services.requests["WatchImport"] == [import_service_pb2.WatchImportRequest(id="i1")]
    assert services.metadata["authorization"] == "Bearer abc"
    *events, remaining = response.text.split("\n\n")
    assert remaining == ""
    assert [json.loads(event.removeprefix("data: "))["state"] for event in events] == ["queued", "running", "succeeded"]


async def test_accept_ndjson_returns_one_object_a_line(rest, services):
    services.handlers["WatchImport"] = stream_states("QUEUED", "SUCCEEDED")
    response = await rest.get(WATCH, headers={"accept": "application/x-ndjson"})
    assert response.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["result"]["state"] for line in response.text.splitlines()] == ["queued", "succeeded"]


async def test_error_before_first_message_is_the_status(rest, services):
    async def reply(_request, context):
        await abort_not_found(context)
        yield

    services.handlers["WatchImport"] = reply
    response = await rest.get(WATCH)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    assert response.json()["error"]["details"][0]["reason"] == "IMPORT_NOT_FOUND"


@pytest.mark.parametrize("accept", ["text/event-stream", "application/x-ndjson"])
async def test_error_after_a_message_is_the_last_message(rest, services, accept):
    async def reply(_request, context):
        yield import_pb2.Import(id="i1")
        await abort_not_found(context)

    services.handlers["WatchImport"] = reply
    with captured_logs() as logs:
        response = await rest.get(WATCH, headers={"accept": accept})
    assert response.status_code == 200
    assert [(line["status"], line["reason"]) for line in access_lines(logs)] == [(200, "IMPORT_NOT_FOUND")]
    last = response.text.rstrip("\n").split("\n")[-1]
    if accept == "text/event-stream":
        assert "event: error\ndata: " in response.text
        last = last.removeprefix("data: ")
    error = json.loads(last)["error"]
    assert (error["code"], error["details"][0]["reason"]) == (404, "IMPORT_NOT_FOUND")
    assert error["request_id"] == response.headers["x-request-id"]


async def test_stream_without_messages_is_empty(rest, services):
    services.handlers["WatchImport"] = stream_states()
    response = await rest.get(WATCH)
    assert (response.status_code, response.text) == (200, "")


async def test_idle_stream_sends_keep_alive_comments(rest, services):
    done = asyncio.Event()

    async def reply(_request, _context):
        await done.wait()
        yield import_pb2.Import(id="i1")

    services.handlers["WatchImport"] = reply
    async with rest.stream("GET", WATCH) as response:
        lines = response.aiter_lines()
        assert await anext(lines) == ": keep-alive"
        done.set()
        async for line in lines:
            if line.startswith("data: "):
                break
        else:
            pytest.fail("no event came")


async def test_disconnect_ends_the_stream_call(rest, services):
    async def reply(_request, _context):
        yield import_pb2.Import(id="i1")
        await asyncio.Event().wait()

    services.handlers["WatchImport"] = reply
    async with rest.stream("GET", WATCH) as response:
        await anext(response.aiter_lines())
    await asyncio.wait_for(services.ended.wait(), 10)


async def test_disconnect_with_a_pipelined_request_ends_the_call(address, services):
    """The connection has two requests then, and both learn that the client has gone."""

    async def reply(_request, _context):
        yield import_pb2.Import(id="i1")
        await asyncio.Event().wait()

    services.handlers["WatchImport"] = reply
    async with connected(address) as (reader, writer):
        writer.write(f"GET {WATCH} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await reader.readuntil(b"data: ")
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        # The server does not read after the second request, but each keep-alive message tries the connection.
        await reader.readuntil(b": keep-alive")
    await asyncio.wait_for(services.ended.wait(), 10)


async def test_head_of_a_stream_ends_its_call(rest, services):
    """HEAD starts the call to get its status, and ends it without a body."""

    async def reply(_request, _context):
        yield import_pb2.Import(id="i1")
        await asyncio.Event().wait()

    services.handlers["WatchImport"] = reply
    response = await rest.head(WATCH)
    assert (response.status_code, response.content) == (200, b"")
    await asyncio.wait_for(services.ended.wait(), 10)


async def test_last_event_id_sets_the_cursor(rest, services):
    """The cursor of an event is its id, which a browser's EventSource sends as Last-Event-ID on reconnect."""

    async def stream(request, _context):
        yield history_service_pb2.WatchEventsResponse(cursor=f"{request.cursor}+1")

    services.handlers["WatchEvents"] = stream
    response = await rest.get("/api/v1/events:watch?cursor=c", headers={"last-event-id": "d"})
    assert response.text.startswith("id: d+1\ndata: {")


async def test_malformed_last_event_id_is_refused(rest):
    """A stream that ignored it would start elsewhere, and the client would miss events without a word."""
    response = await rest.get("/api/v1/events:watch", headers={"last-event-id": b"caf\xe9"})
    assert (response.status_code, response.json()["error"]["details"][0]["reason"]) == (400, "MALFORMED_HEADER")
