"""Overload: requests above the limits wait for a moment and are then shed."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import grpc
import pytest
from prometheus_client import REGISTRY
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_pb2

from chassis.rpc.errors import RichStatus
from tests.integration.gateway.fake_services import slow_get_task
from tests.integration.gateway.limited_gateway import (
    GET,
    LONG_SECONDS,
    POST,
    TASK,
    WATCH,
    occupied_slot,
    running_gateway,
    status_of,
)
from tests.integration.gateway.raw_http import connected
from tests.support.waiting import until, until_awaited


def head_shed_count():
    """Return the number of requests that were shed before routing."""
    labels = {"method": "GET", "route": "", "status": "503"}
    return REGISTRY.get_sample_value("http_requests_total", labels) or 0.0


def shed_count(kind):
    return REGISTRY.get_sample_value("http_requests_shed_total", {"kind": kind}) or 0.0


async def test_request_above_the_limits_is_queued_then_shed(services):
    """Of two further requests, the first waits for the slot and the second is shed."""
    before = shed_count("request")
    limits = {"max_queued_requests": 1, "queue_timeout_seconds": LONG_SECONDS}
    async with (
        running_gateway(services, **limits) as (_, client),
        occupied_slot(client, services) as release,
    ):
        further = [asyncio.create_task(client.get(TASK)) for _ in range(2)]
        done, waiting = await asyncio.wait(further, return_when=asyncio.FIRST_COMPLETED)
        (shed,) = (request.result() for request in done)
        assert services.calls == 1
        release.set()
        assert [(await request).status_code for request in waiting] == [200]
    assert (shed.status_code, shed.headers["retry-after"]) == (503, "1")
    error = shed.json()["error"]
    assert (error["status"], error["details"][0]["reason"]) == ("UNAVAILABLE", "OVERLOADED")
    assert error["request_id"] == shed.headers["x-request-id"]
    assert shed_count("request") == before + 1


async def test_queued_request_is_shed_after_the_timeout(services):
    before = shed_count("request")
    limits = {"max_queued_requests": 1, "queue_timeout_seconds": 0.01}
    async with running_gateway(services, **limits) as (_, client), occupied_slot(client, services):
        assert await status_of(client) == 503
    assert shed_count("request") == before + 1


async def test_probes_and_preflights_are_never_shed(services):
    origin = {"origin": "https://app.example.com", "access-control-request-method": "GET"}
    async with (
        running_gateway(services, cors_origins="https://app.example.com") as (_, client),
        occupied_slot(client, services),
    ):
        shed = await client.get(TASK, headers=origin)
        assert (shed.status_code, shed.headers["access-control-allow-origin"]) == (503, origin["origin"])
        for path in ("/healthz", "/readyz", "/statusz"):
            assert await status_of(client, path) == 200
        assert (await client.options(TASK, headers=origin)).status_code == 204


async def test_slow_body_occupies_no_slot(services):
    services.respond_with("GetTask", task_pb2.Task(id="t1"))
    services.respond_with("CreateTask", task_pb2.Task(id="t1"))
    async with running_gateway(services) as (address, client), connected(address) as (reader, writer):
        writer.write(POST + b"Content-Length: 13\r\nExpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert await status_of(client) == 200
        writer.write(b'{"title":"x"}')
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 201 ")


async def test_failed_requests_free_their_slots(services):
    async with running_gateway(services) as (_, client):
        services.fail_with("GetTask", grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND")
        assert [await status_of(client) for _ in range(3)] == [404] * 3


async def test_streams_have_a_limit_of_their_own(services):
    """A watch takes no slot of other requests, and frees its own when its client disconnects."""
    services.respond_with("GetTask", task_pb2.Task(id="t1"))
    services.handlers["WatchImport"] = endless_watch
    before = shed_count("stream")
    async with running_gateway(services, max_concurrent_streams=1) as (_, client):
        async with client.stream("GET", WATCH) as watch:
            assert watch.status_code == 200
            assert await status_of(client) == 200
            shed = await client.get(WATCH)
            assert (shed.status_code, shed.headers["retry-after"]) == (503, "1")
            assert shed.json()["error"]["details"][0]["reason"] == "OVERLOADED"
            upload = await client.post("/api/v1/imports", content=b"title\nx\n", headers={"content-type": "text/csv"})
            assert upload.status_code == 503
        await until_awaited(lambda: is_watchable(client))
    assert shed_count("stream") >= before + 2


async def endless_watch(_request, _context):
    yield import_pb2.Import(id="i1")
    await asyncio.Event().wait()


async def is_watchable(client):
    async with client.stream("GET", WATCH) as watch:
        return watch.status_code == 200


async def test_one_caller_gets_at_most_half_of_the_slots(services):
    """Calls without a token count as one caller."""
    async with (
        running_gateway(services, max_concurrent_requests=2) as (_, client),
        occupied_slot(client, services, {"authorization": "Bearer a"}),
    ):
        services.respond_with("GetTask", task_pb2.Task(id="t1"))
        assert (await client.get(TASK, headers={"authorization": "Bearer a"})).status_code == 503
        assert (await client.get(TASK, headers={"authorization": "Bearer b"})).status_code == 200
        assert await status_of(client) == 200


@pytest.mark.parametrize("spelling", ["bearer a", "Bearer  a", "BEARER a"])
async def test_spelling_makes_no_other_caller(services, spelling):
    """Services accept each of these headers, so one token would otherwise get all slots."""
    async with (
        running_gateway(services, max_concurrent_requests=2) as (_, client),
        occupied_slot(client, services, {"authorization": "Bearer a"}),
    ):
        assert (await client.get(TASK, headers={"authorization": spelling})).status_code == 503


async def test_burst_is_shed_at_its_heads(services):
    """Requests that arrive in one turn of the event loop are all counted before the first one starts."""
    called, release = slow_get_task(services)
    async with running_gateway(services, max_concurrent_requests=4) as (address, _), AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connected(address)) for _ in range(20)]
        before = head_shed_count()
        for number, (_, writer) in enumerate(connections):
            writer.write(GET.replace(b"Host: a", b"Host: a\r\nAuthorization: Bearer %d" % number))
        await until(lambda: head_shed_count() == before + 16)
        await called.wait()
        release.set()
        heads = [await reader.readuntil(b"\r\n\r\n") for reader, _ in connections]
    assert Counter(head.split()[1] for head in heads) == {b"200": 4, b"503": 16}


async def test_calls_to_an_overloaded_service_are_rarely_repeated(services):
    """Repetitions must not add to the load of a service that refuses everything."""

    async def refuse(_request, context):
        await RichStatus(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "No.", "OVERLOADED", retry_after_seconds=1, is_retryable_elsewhere=True
        ).abort(context)

    services.handlers["GetTask"] = refuse
    async with running_gateway(services) as (_, client):
        responses = [await client.get(TASK) for _ in range(50)]
    assert {(each.status_code, each.headers["retry-after"]) for each in responses} == {(503, "1")}
    assert services.calls == 60
