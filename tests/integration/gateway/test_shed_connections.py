"""Connections of shed requests: the framing stays correct, and a connection that can't be kept is closed."""

import asyncio

import httpx2
import pytest
from taskmanager.tasks.v1 import task_pb2

from gateway.server import run_server
from tests.integration.gateway.conftest import settings
from tests.integration.gateway.fake_services import slow_get_task
from tests.integration.gateway.limited_gateway import (
    GET,
    LONG_SECONDS,
    POST,
    is_ready,
    occupied_slot,
    running_gateway,
    status_of,
)
from tests.integration.gateway.raw_http import connected, parse_responses, reasons
from tests.support.waiting import until_awaited

GET_AND_CLOSE = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


async def test_shed_requests_keep_their_connection(services):
    """Their bodies are discarded, also when they arrive late; a HEAD gets no body."""
    services.respond_with("CreateTask", task_pb2.Task(id="t1"))
    async with running_gateway(services) as (address, client), connected(address) as (reader, writer):
        async with occupied_slot(client, services):
            writer.write(GET.replace(b"GET", b"HEAD"))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"content-length: 0" not in head
            writer.write(POST + b'Content-Length: 13\r\n\r\n{"titl')
            await read_error(reader)
            writer.write(b'e":"x"}' + GET)
            await read_error(reader)
        writer.write(POST + b'Content-Length: 13\r\n\r\n{"title":"x"}')
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 201 ")
    assert len(services.requests["CreateTask"]) == 1


async def read_error(reader):
    """Read one shed response, which must keep the connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"connection: close" not in head
    (length,) = [int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.startswith(b"content-length")]
    assert b"OVERLOADED" in await reader.readexactly(length)


@pytest.mark.parametrize(
    "request_head",
    [
        POST + b"Content-Length: 100000\r\n\r\n{",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        POST + b"Content-Length: 13\r\nExpect: 100-continue\r\n\r\n",
        GET_AND_CLOSE + GET,
    ],
    ids=["long", "chunked", "expect", "close"],
)
async def test_shed_request_ends_its_connection(services, request_head):
    """The next bytes would be the rest of a long body, or the client wants no further response."""
    async with (
        running_gateway(services) as (address, client),
        occupied_slot(client, services),
        connected(address) as (reader, writer),
    ):
        writer.write(request_head)
        received = await reader.read()
    assert reasons(parse_responses(received)) == [(503, "OVERLOADED")]
    assert b"connection: close" in received
    assert services.calls == 1


@pytest.mark.parametrize("sent", [POST + b"Content-Length: 13\r\n\r\n{", GET], ids=["body", "next request"])
async def test_slow_client_of_a_shed_request_is_cut(services, sent):
    """The timeout of heads also limits the rest of a shed request, and the time until the next one."""
    async with (
        running_gateway(services, header_timeout_seconds=0.5) as (address, client),
        occupied_slot(client, services),
        connected(address) as (reader, writer),
    ):
        writer.write(sent)
        await read_error(reader)
        assert await reader.read() == b""


async def test_pipelined_request_is_not_shed_before_its_turn(services):
    """The client would take its refusal for the response to the request before it."""
    async with running_gateway(services) as (address, client):
        called, release = slow_get_task(services)
        async with connected(address) as (reader, writer):
            writer.write(GET)
            await called.wait()
            writer.write(GET_AND_CLOSE)
            assert await status_of(client) == 503
            release.set()
            assert (await reader.read()).count(b"HTTP/1.1 200 ") == 2


async def test_body_that_ends_during_overload_is_shed(services):
    """The request was admitted at its head, before the overload."""
    async with running_gateway(services) as (address, client), connected(address) as (reader, writer):
        writer.write(POST + b"Content-Length: 13\r\nExpect: 100-continue\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        async with occupied_slot(client, services):
            writer.write(b'{"title":"x"}')
            await read_error(reader)
    assert services.requests["CreateTask"] == []


async def test_shed_response_closes_the_connection_while_draining(services):
    """The client repeats its request on a connection to another process."""
    gateway = run_server(
        settings(services, max_concurrent_requests=1, max_queued_requests=0, drain_delay_seconds=LONG_SECONDS)
    )
    address = await gateway.__aenter__()
    async with httpx2.AsyncClient(base_url=f"http://{address}", timeout=LONG_SECONDS) as client:
        await until_awaited(lambda: is_ready(client))
        async with connected(address) as (reader, writer), occupied_slot(client, services):
            leaving = asyncio.create_task(gateway.__aexit__(None, None, None))
            await until_awaited(lambda: is_draining(client))
            writer.write(GET)
            assert b"connection: close" in await reader.read()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)


async def is_draining(client):
    return (await client.get("/readyz")).status_code == 503
