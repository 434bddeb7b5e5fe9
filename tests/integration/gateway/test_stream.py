"""Server streams: events by default, lines on request."""

import asyncio
import json

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2

from chassis.rpc.errors import RichStatus

WATCH = "/api/v1/imports/i1:watch"


def states(*names):
    async def reply(_request, _context):
        for name in names:
            yield import_pb2.Import(id="i1", state=import_pb2.Import.State.Value(f"STATE_{name}"))

    return reply


async def refuse(context):
    await RichStatus(grpc.StatusCode.NOT_FOUND, "There is no such import.", "IMPORT_NOT_FOUND").abort(context)


async def test_each_message_is_an_event(rest, services):
    services.answers["WatchImport"] = states("QUEUED", "RUNNING", "SUCCEEDED")
    answer = await rest.get(WATCH, headers={"authorization": "Bearer abc"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    assert services.requests["WatchImport"] == [import_service_pb2.WatchImportRequest(id="i1")]
    assert services.metadata["authorization"] == "Bearer abc"
    *events, rest_of_it = answer.text.split("\n\n")
    assert rest_of_it == ""
    assert [json.loads(event.removeprefix("data: "))["state"] for event in events] == ["queued", "running", "succeeded"]


async def test_who_asks_for_lines_gets_one_object_a_line(rest, services):
    services.answers["WatchImport"] = states("QUEUED", "SUCCEEDED")
    answer = await rest.get(WATCH, headers={"accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["result"]["state"] for line in answer.text.splitlines()] == ["queued", "succeeded"]


async def test_an_error_before_the_first_message_is_an_ordinary_error(rest, services):
    async def reply(_request, context):
        await refuse(context)
        yield

    services.answers["WatchImport"] = reply
    answer = await rest.get(WATCH)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["details"][0]["reason"] == "IMPORT_NOT_FOUND"


@pytest.mark.parametrize("accept", ["text/event-stream", "application/x-ndjson"])
async def test_an_error_behind_a_message_is_the_last_thing_said(rest, services, accept):
    async def reply(_request, context):
        yield import_pb2.Import(id="i1")
        await refuse(context)

    services.answers["WatchImport"] = reply
    answer = await rest.get(WATCH, headers={"accept": accept})
    assert answer.status_code == 200
    last = answer.text.rstrip("\n").split("\n")[-1]
    if accept == "text/event-stream":
        assert "event: error\ndata: " in answer.text
        last = last.removeprefix("data: ")
    error = json.loads(last)["error"]
    assert (error["code"], error["details"][0]["reason"]) == (404, "IMPORT_NOT_FOUND")
    assert error["request_id"] == answer.headers["x-request-id"]


async def test_a_stream_without_a_message_is_an_empty_answer(rest, services):
    services.answers["WatchImport"] = states()
    answer = await rest.get(WATCH)
    assert (answer.status_code, answer.text) == (200, "")


async def test_silence_is_filled_with_comments(rest, services):
    done = asyncio.Event()

    async def reply(_request, _context):
        await done.wait()
        yield import_pb2.Import(id="i1")

    services.answers["WatchImport"] = reply
    async with rest.stream("GET", WATCH) as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == ": keep-alive"
        done.set()
        async for line in lines:
            if line.startswith("data: "):
                break
        else:
            pytest.fail("no event came")


async def test_the_call_upstream_ends_when_the_client_goes_away(rest, services):
    async def reply(_request, _context):
        yield import_pb2.Import(id="i1")
        await asyncio.Event().wait()

    services.answers["WatchImport"] = reply
    async with rest.stream("GET", WATCH) as answer:
        await anext(answer.aiter_lines())
    await asyncio.wait_for(services.ended.wait(), 10)


async def test_head_of_a_stream_opens_it_only_to_see_that_it_would(rest, services):
    async def reply(_request, _context):
        yield import_pb2.Import(id="i1")
        await asyncio.Event().wait()

    services.answers["WatchImport"] = reply
    answer = await rest.head(WATCH)
    assert (answer.status_code, answer.content) == (200, b"")
    await asyncio.wait_for(services.ended.wait(), 10)


async def test_an_event_s_cursor_is_its_id_and_comes_back_as_last_event_id(rest, services):
    """As a browser's EventSource does it by itself."""

    async def stream(request, _context):
        yield history_service_pb2.WatchEventsResponse(cursor=f"{request.cursor}+1")

    services.answers["WatchEvents"] = stream
    answer = await rest.get("/api/v1/events:watch?cursor=c", headers={"last-event-id": "d"})
    assert answer.text.startswith("id: d+1\ndata: {")
