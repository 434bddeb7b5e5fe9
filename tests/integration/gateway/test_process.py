"""The gateway as a process: health checks, documents, timeouts, logs and shutdown."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys

import grpc
import httpx2
import pytest
from google.api.http_pb2 import HttpRule
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_pb2

from chassis.limits.rate_limit import AddressRateLimiter
from gateway.bootstrap import build_router
from gateway.clients.upstream import Upstream
from gateway.server import run_server
from gateway.transcoding.contract import read_rpcs
from gateway.transcoding.errors import UnsupportedContract
from gateway.transport.request.concurrency_limit import ConcurrencyLimit
from tests.integration.gateway.conftest import settings
from tests.integration.gateway.fake_services import receive_upload
from tests.unit.gateway.synthetic_contract import build_service


async def test_unreachable_service_is_503(services):
    """A service that cannot be reached is a 503; its address is not sent to the client."""
    async with (
        run_server(settings(services, tasks_target="127.0.0.1:1")) as address,
        httpx2.AsyncClient(base_url=f"http://{address}") as rest,
    ):
        response = await rest.get("/api/v1/tasks/t1")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "127.0.0.1" not in response.text


async def test_slow_service_is_504(services):
    async def never(_request, _context):
        await asyncio.Event().wait()

    services.handlers["GetTask"] = never
    async with (
        run_server(settings(services, call_timeout_seconds=0.2)) as address,
        httpx2.AsyncClient(base_url=f"http://{address}") as rest,
    ):
        response = await rest.get("/api/v1/tasks/t1")
    assert response.status_code == 504
    assert response.json()["error"]["status"] == "DEADLINE_EXCEEDED"


async def test_openapi_document_is_served(rest):
    response = await rest.get("/openapi.json")
    assert response.status_code == 200
    assert response.json()["openapi"] == "3.1.0"
    assert "/api/v1/tasks/{id}" in response.json()["paths"]


async def test_slow_body_is_408(services):
    async with run_server(settings(services, body_timeout_seconds=0.1, upload_idle_timeout_seconds=0.1)) as address:
        for path, kind in (("/api/login", "application/json"), ("/api/v1/imports", "text/csv")):
            services.handlers["UploadImport"] = receive_upload
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(
                f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: 9\r\n\r\n".encode()
            )
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert head.startswith(b"HTTP/1.1 408 ")
            writer.close()


async def test_slow_headers_close_the_connection(services):
    services.respond_with("GetTask", task_pb2.Task())
    async with run_server(settings(services, header_timeout_seconds=0.1)) as address:
        for sent in (b"", b"GET /healthz HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /hea"):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(sent)
            await asyncio.wait_for(reader.read(), 10)
            writer.close()


async def test_header_timeout_ends_with_the_head(services):
    """A request whose service takes longer than the timeout of a head gets its response."""
    release = asyncio.Event()

    async def slow(_request, _context):
        await release.wait()
        return task_pb2.Task(id="t1")

    services.handlers["GetTask"] = slow
    async with run_server(settings(services, header_timeout_seconds=0.1)) as address:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET /api/v1/tasks/t1 HTTP/1.1\r\nHost: a\r\n\r\n")
        await services.called.wait()
        # The timeout has passed when a later connection, without a request, is closed.
        idle_reader, idle_writer = await asyncio.open_connection(address.host, address.port)
        await asyncio.wait_for(idle_reader.read(), 10)
        idle_writer.close()
        release.set()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 200 ")
        writer.close()


async def start_gateway(services, **environment):
    """Start the gateway as a process of its own, and return it with the URL that it logs."""
    target = f"127.0.0.1:{services.port}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        env={
            **os.environ,
            "GATEWAY_LISTEN": "127.0.0.1:0",
            "GATEWAY_AUTH_TARGET": target,
            "GATEWAY_TASKS_TARGET": target,
            **environment,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr
    while line := await process.stderr.readline():
        entry = json.loads(line)
        if entry["event"] == "serving":
            return process, f"http://127.0.0.1:{entry['port']}"
    pytest.fail("the gateway ended before it served")


async def test_sigterm_shuts_down_gracefully(services):
    """SIGTERM lets a call finish, ends a stream with an error event, and exits with status 0."""
    called_event, release_event = asyncio.Event(), asyncio.Event()

    async def slow(_request, _context):
        called_event.set()
        await release_event.wait()
        return task_pb2.Task(id="t1")

    async def watch(_request, _context):
        yield import_pb2.Import(id="i1")
        await asyncio.Event().wait()

    services.handlers |= {"GetTask": slow, "WatchImport": watch}
    process, url = await start_gateway(services)
    async with (
        httpx2.AsyncClient(base_url=url, timeout=20) as rest,
        rest.stream("GET", "/api/v1/imports/i1:watch") as events,
    ):
        lines = events.aiter_lines()
        await anext(lines)
        getting = asyncio.create_task(rest.get("/api/v1/tasks/t1"))
        await asyncio.wait_for(called_event.wait(), 10)
        process.send_signal(signal.SIGTERM)
        remaining = [line async for line in lines]
        assert "event: error" in remaining
        assert any("STOPPING" in line for line in remaining)
        release_event.set()
        assert (await getting).status_code == 200
    log = (await process.stderr.read()).decode()
    assert await process.wait() == 0
    assert '"event": "stopped"' in log


async def test_access_log_has_requests_but_no_secrets(services):
    services.fail_with("Login", grpc.StatusCode.UNAUTHENTICATED, "WRONG_CREDENTIALS")
    services.respond_with("GetTask", task_pb2.Task())
    process, url = await start_gateway(services)
    async with httpx2.AsyncClient(base_url=url) as rest:
        await rest.post("/api/login", json={"email": "a@b", "password": "canary"})
        await rest.get("/api/v1/tasks/t1", headers={"authorization": "Bearer canary", "x-request-id": "r-1"})
        await rest.get("/api/v1/tasks/t1?token=canary")
    process.send_signal(signal.SIGTERM)
    log = (await process.stderr.read()).decode()
    await process.wait()
    assert "canary" not in log
    entries = [json.loads(line) for line in log.splitlines()]
    requests = [entry for entry in entries if entry["event"] == "request"]
    assert [(entry["method"], entry["route"], entry["status"]) for entry in requests] == [
        ("POST", "/api/login", 401),
        ("GET", "/api/v1/tasks/{id}", 200),
        ("GET", "/api/v1/tasks/{id}", 400),
    ]
    assert requests[1]["request_id"] == "r-1"
    assert all(entry["ms"] >= 0 for entry in requests)


async def test_unsupported_client_stream_stops_start(services):
    """A client-streaming rpc other than the upload stops the start."""
    rpcs = read_rpcs([build_service(HttpRule(post="/v1", body="*"), client_streaming=True)])
    upstream = Upstream(name="odd", target="127.0.0.1:1", rpcs=rpcs)
    limiter = AddressRateLimiter(per_minute=1, storage_url="memory://")
    with pytest.raises(UnsupportedContract, match=r"odd\d+\.Odd\.Do: a client stream"):
        build_router(
            upstreams=[upstream],
            settings=settings(services),
            limiter=limiter,
            request_limit=ConcurrencyLimit(
                max_concurrent=1, max_queued=0, queue_timeout_seconds=0, max_active_per_caller=1
            ),
            stopping=asyncio.Event(),
            own_endpoints={},
        )
    await upstream.close()


def test_all_missing_settings_are_reported():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    completed = subprocess.run(
        [sys.executable, "-m", "gateway"], env=environment, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 2
    for name in ("GATEWAY_LISTEN", "GATEWAY_AUTH_TARGET", "GATEWAY_TASKS_TARGET"):
        assert name in completed.stderr


def test_address_in_use_stops_start_with_one_line():
    with socket.create_server(("127.0.0.1", 0)) as upload_messages:
        listen = f"127.0.0.1:{upload_messages.getsockname()[1]}"
        targets = {"GATEWAY_AUTH_TARGET": "127.0.0.1:1", "GATEWAY_TASKS_TARGET": "127.0.0.1:1"}
        completed = subprocess.run(
            [sys.executable, "-m", "gateway"],
            env={**os.environ, "GATEWAY_LISTEN": listen, **targets},
            capture_output=True,
            text=True,
            check=False,
        )
    assert completed.returncode == 2
    assert f"gateway: cannot listen on {listen}" in completed.stderr
    assert "Traceback" not in completed.stderr
