"""Requests whose client closes the connection before the response: a read is cancelled, a write goes on."""

import asyncio

import pytest
from google.api import httpbody_pb2
from structlog.testing import capture_logs
from taskmanager.tasks.v1 import task_pb2

from gateway.server import run_server
from gateway.transport.request import concurrency_limit
from tests.integration.gateway.access_lines import access_lines, captured_logs
from tests.integration.gateway.conftest import settings
from tests.integration.gateway.fake_services import slow_get_task
from tests.integration.gateway.limited_gateway import GET, LONG_SECONDS, POST, TASK, running_gateway, status_of
from tests.integration.gateway.raw_http import HEALTH, connected, read_head
from tests.support.metrics import metric_value
from tests.support.waiting import until

# No call ends by itself during a test.
ONE_ACTIVE = {"max_concurrent_requests": 20, "max_active_requests_per_caller": 1, "call_timeout_seconds": LONG_SECONDS}
DOWNLOAD = b"GET /api/v1/imports/i1/errors.csv HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(autouse=True)
def long_turns(monkeypatch):
    monkeypatch.setattr(concurrency_limit, "MAX_ACTIVE_SECONDS", LONG_SECONDS)


@pytest.mark.parametrize("leave", ["close", "write_eof"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_abandoned_read_ends_its_call(services, method, leave):
    """The caller's next request takes the slot at once. A client that closes only its sending half counts as gone."""
    called, _ = slow_get_task(services)
    async with running_gateway(services, **ONE_ACTIVE) as (address, client), connected(address) as (reader, writer):
        writer.write(HEALTH + b"\r\n")
        await read_head(reader)
        writer.write(GET.replace(b"GET", method))
        await called.wait()
        getattr(writer, leave)()
        await asyncio.wait_for(services.ended.wait(), 20)
        services.respond_with("GetTask", task_pb2.Task(id="t1"))
        assert await status_of(client) == 200


async def test_abandoned_read_does_not_start_later(services):
    """One that waits for its caller's turn never reaches the service."""
    called, release = slow_get_task(services)
    async with running_gateway(services, **ONE_ACTIVE) as (address, client):
        first = asyncio.create_task(client.get(TASK))
        await called.wait()
        with capture_logs() as logs:
            async with connected(address) as (_, writer):
                writer.write(GET)
                await until(lambda: metric_value("http_requests_in_flight") == 2)
            await until(lambda: access_lines(logs) != [])
        release.set()
        assert ((await first).status_code, await status_of(client)) == (200, 200)
        assert services.calls == 2


async def test_abandoned_read_is_one_log_line(services):
    """It has status 499 in the log and in the metrics, and the call has the code of a cancelled one."""
    request = {"method": "GET", "route": "/api/v1/tasks/{id}", "status": "499"}
    call = {"grpc_type": "unary", "grpc_service": "taskmanager.tasks.v1.TaskService", "grpc_method": "GetTask"}
    before = metric_value("http_requests_total", **request)
    calls_before = metric_value("grpc_client_handled_total", **call, grpc_code="Canceled")
    called, _ = slow_get_task(services)
    async with running_gateway(services) as (address, _), connected(address) as (_, writer):
        with captured_logs() as logs:
            writer.write(GET)
            await called.wait()
            writer.close()
            await until(lambda: metric_value("http_requests_total", **request) == before + 1)
    assert [(line["event"], line["status"], line["cause"]) for line in logs if "request_id" in line] == [
        ("request", 499, "client disconnected")
    ]
    assert metric_value("grpc_client_handled_total", **call, grpc_code="Canceled") == calls_before + 1


async def test_abandoned_download_is_one_log_line(services):
    """It keeps the status that was sent."""

    async def endless(_request, _context):
        while True:
            yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"a\r\n")
            await asyncio.sleep(0)

    services.handlers["DownloadImportErrors"] = endless
    async with running_gateway(services) as (address, _), connected(address) as (reader, writer):
        with captured_logs() as logs:
            writer.write(DOWNLOAD)
            await read_head(reader)
            writer.close()
            await until(lambda: access_lines(logs) != [])
    assert [(line["event"], line["status"], line["cause"]) for line in logs if "request_id" in line] == [
        ("request", 200, "client disconnected")
    ]


@pytest.mark.parametrize("key", [b"", b"Idempotency-Key: k\r\n"])
async def test_abandoned_write_goes_on(services, key):
    """The service is not told that the client has gone, and the log has the status of its response."""
    called, release, created = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def create(_request, _context):
        called.set()
        await release.wait()
        created.set()
        return task_pb2.Task(id="t1")

    services.handlers["CreateTask"] = create
    async with running_gateway(services) as (address, client):
        with capture_logs() as logs:
            async with connected(address) as (_, writer):
                writer.write(POST + key + b"Content-Length: 13\r\n\r\n" + b'{"title":"x"}')
                await called.wait()
            assert await status_of(client) == 503  # the service still works for the client that has gone
            release.set()
            await until(lambda: created.is_set() and access_lines(logs) != [])
        assert [line["status"] for line in access_lines(logs)] == [201]


async def test_abandoned_read_does_not_delay_the_drain(services):
    called, _ = slow_get_task(services)
    gateway = run_server(settings(services, drain_seconds=LONG_SECONDS, call_timeout_seconds=LONG_SECONDS))
    address = await gateway.__aenter__()
    async with connected(address) as (_, writer), connected(address) as (idle_reader, idle_writer):
        idle_writer.write(HEALTH + b"\r\n")
        await read_head(idle_reader)
        writer.write(GET)
        await called.wait()
        stopping = asyncio.create_task(gateway.__aexit__(None, None, None))
        await idle_reader.read()  # the drain closes idle connections first
        assert not stopping.done()
        writer.close()
        await asyncio.wait_for(stopping, 20)
