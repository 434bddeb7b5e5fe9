"""Connections that would never end are cut, and the number of open connections is limited."""

import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import pytest
from google.api import httpbody_pb2
from structlog.testing import capture_logs

from gateway.server import run_server
from gateway.transport.http.coalescing_transport import CoalescingTransport
from gateway.transport.http.connection_limits import OpenConnections
from gateway.transport.http.send_timeout import SendTimeout
from gateway.transport.request.disconnect import Disconnect
from gateway.transport.request.http_request import HttpRequest
from tests.integration.gateway.conftest import settings
from tests.integration.gateway.raw_http import HEALTH, connected, parse_responses, read_head, reasons

DOWNLOAD = b"GET /api/v1/imports/i1/errors.csv HTTP/1.1\r\nHost: a\r\n\r\n"
UPLOAD = b"POST /api/v1/imports HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n"


@asynccontextmanager
async def dribbling(writer):
    """Send line breaks, one every few milliseconds, until the connection closes."""

    async def dribble():
        with suppress(ConnectionError):
            while True:
                writer.write(b"\n")
                await writer.drain()
                await asyncio.sleep(0.02)

    task = asyncio.create_task(dribble())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def read_until_closed(reader):
    """Read to the end of the connection, which may be a reset."""
    with suppress(ConnectionError):
        while await asyncio.wait_for(reader.read(65536), 20):
            pass


@asynccontextmanager
async def not_reading(address):
    """A connection with small buffers whose client sends and never reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (address.host, address.port))
    try:
        yield client
    finally:
        client.close()


@pytest.mark.parametrize(
    "head",
    [
        UPLOAD + b"Content-Type: multipart/form-data; boundary=limit\r\n\r\n",
        UPLOAD + b"Content-Type: text/csv\r\n\r\ntitle\n",
    ],
    ids=["preamble of a form", "file"],
)
async def test_upload_below_the_minimum_rate_is_408(services, upload_messages, head):
    """A byte now and then keeps the idle timeout from expiring, but is slower than the minimum rate."""
    limits = {"upload_idle_timeout_seconds": 0.5, "min_bytes_per_second": 100_000}
    async with run_server(settings(services, **limits)) as address, connected(address) as (reader, writer):
        writer.write(head)
        async with dribbling(writer):
            assert (await read_head(reader)).startswith(b"HTTP/1.1 408 ")


async def test_slow_service_is_not_a_slow_client():
    """Only the time of waiting for the client counts: a service that reads slowly does not fail the upload."""
    messages = [{"type": "http.request", "body": b"x", "more_body": number < 20} for number in range(21)]

    async def receive():
        return messages.pop(0)

    request = HttpRequest("POST", (), b"", [], receive, Disconnect())
    received = b""
    async for chunk in request.chunks(idle_timeout_seconds=0.05, min_bytes_per_second=1e9):
        received += chunk
        await asyncio.sleep(0.01)
    assert received == b"x" * 21


async def test_response_that_is_not_read_is_cut(services):
    """The call ends too, and the log has one line and no traceback."""

    async def endless(_request, _context):
        while True:
            yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"x" * 65536)

    services.handlers["DownloadImportErrors"] = endless
    async with run_server(settings(services, send_timeout_seconds=0.2)) as address, not_reading(address) as client:
        with capture_logs() as logs:
            await asyncio.get_running_loop().sock_sendall(client, DOWNLOAD)
            await asyncio.wait_for(services.ended.wait(), 20)
    (line,) = [line for line in logs if line["event"] == "connection cut"]
    assert (line["reason"], line["client"]) == ("response not read", "127.0.0.1")
    assert not any(line.get("exc_info") or line["log_level"] == "error" for line in logs)


async def test_response_that_is_read_is_not_cut(services):
    """A client that reads gets the whole response, though it takes longer than the timeout."""
    count = 30

    async def steady(_request, _context):
        for _ in range(count):
            yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"x" * 65536)
            await asyncio.sleep(0.02)

    services.handlers["DownloadImportErrors"] = steady
    async with (
        run_server(settings(services, send_timeout_seconds=0.2)) as address,
        connected(address) as (reader, writer),
    ):
        writer.write(DOWNLOAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await read_head(reader)
        assert (await asyncio.wait_for(reader.read(), 20)).count(b"x") == count * 65536


async def test_closed_transport_with_unsent_bytes_is_cut():
    """A transport that is closed stays open until its bytes are sent, which may be never."""
    lost = asyncio.Event()

    class Lost(asyncio.Protocol):
        def connection_lost(self, exc):  # noqa: ARG002 - the signature of asyncio
            lost.set()

    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    loop = asyncio.get_running_loop()
    socket_transport, _ = await loop.create_connection(Lost, sock=ours)
    transport = CoalescingTransport(socket_transport, loop)
    transport.write(b"x" * 500_000)
    transport.close()
    timeout = SendTimeout(transport, timeout_seconds=0.1, min_bytes=1, on_stall=transport.abort)
    await asyncio.wait_for(lost.wait(), 20)
    timeout.stop()
    theirs.close()


@pytest.mark.parametrize(
    "request_bytes",
    [HEALTH + b"\r\n", HEALTH + b"Content-Length: 1000000\r\n\r\n"],
    ids=["line breaks", "rest of a body"],
)
async def test_bytes_without_a_request_do_not_keep_a_connection(address, request_bytes):
    """After a response the keep-alive timeout runs, whatever arrives that is no request."""
    async with connected(address) as (reader, writer):
        writer.write(request_bytes)
        await read_head(reader)
        async with dribbling(writer):
            await read_until_closed(reader)


async def test_connections_of_one_address_are_limited(services):
    async with (
        run_server(settings(services, max_connections_per_address=2)) as address,
        connected(address) as (first_reader, first),
        connected(address) as (second_reader, second),
    ):
        for reader, writer in ((first_reader, first), (second_reader, second)):
            writer.write(HEALTH + b"\r\n")
            assert (await read_head(reader)).startswith(b"HTTP/1.1 200 ")
        async with connected(address) as (reader, _):
            response = await asyncio.wait_for(reader.read(), 20)
        assert reasons(parse_responses(response)) == [(429, "TOO_MANY_CONNECTIONS")]
        first.write(HEALTH + b"Connection: close\r\n\r\n")
        await read_until_closed(first_reader)
        async with connected(address) as (reader, writer):
            writer.write(HEALTH + b"\r\n")
            assert (await read_head(reader)).startswith(b"HTTP/1.1 200 ")


async def test_all_connections_are_limited(services):
    """Trusted peers are exempt from the limit by address, but not from the limit for all."""
    limits = {"max_connections_per_address": 1, "max_connections": 2, "trusted_peers": "10.0.0.0/8, 127.0.0.0/8"}
    async with (
        run_server(settings(services, **limits)) as address,
        connected(address) as (first_reader, first),
        connected(address) as (second_reader, second),
    ):
        for reader, writer in ((first_reader, first), (second_reader, second)):
            writer.write(HEALTH + b"\r\n")
            assert (await read_head(reader)).startswith(b"HTTP/1.1 200 ")
        async with connected(address) as (reader, _):
            response = await asyncio.wait_for(reader.read(), 20)
        assert reasons(parse_responses(response)) == [(503, "TOO_MANY_CONNECTIONS")]


def test_ipv6_connections_count_by_network():
    """One host has 2^64 IPv6 addresses, so that its network counts as one address."""
    connections = OpenConnections(max_connections=10, max_per_address=1, trusted_peers=())
    connections.add("2001:db8::1")
    with pytest.raises(Exception, match="Too many connections from your address"):
        connections.add("2001:db8::2")
    connections.add("2001:db8:0:1::1")
    connections.remove("2001:db8::1")
    connections.add("2001:db8::2")
