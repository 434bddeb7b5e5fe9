"""The gateway as a process: probes, documents, limits on time, and how it stops."""

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
from grpc_health.v1 import health_pb2
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_pb2

from chassis.limits.rate_limit import AddressRateLimiter
from gateway.bootstrap import contract_comments, gateway
from gateway.clients.upstream import Upstream
from gateway.transcoding.contract import read_rpcs
from gateway.transcoding.http_rules import UnsupportedContract
from gateway.transport.routes import build_router
from tests.integration.gateway.conftest import settings
from tests.integration.gateway.services import collect
from tests.unit.gateway.contracts import service


async def test_alive_says_so(rest):
    answer = await rest.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_follows_the_services_behind(rest, services):
    assert (await rest.get("/readyz")).status_code == 200
    await services.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    try:
        answer = await rest.get("/readyz")
    finally:
        await services.health.set("", health_pb2.HealthCheckResponse.SERVING)
    assert answer.status_code == 503
    assert [detail["message"] for detail in answer.json()["error"]["details"]] == [
        "auth_service does not serve.",
        "task_service does not serve.",
    ]


async def test_services_that_are_not_there_are_503_and_their_address_stays_inside(services):
    async with (
        gateway(settings(services, tasks_target="127.0.0.1:1")) as address,
        httpx2.AsyncClient(base_url=f"http://{address}") as rest,
    ):
        assert (await rest.get("/healthz")).status_code == 200
        assert (await rest.get("/readyz")).status_code == 503
        answer = await rest.get("/api/v1/tasks/t1")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "127.0.0.1" not in answer.text


async def test_a_service_that_does_not_answer_in_time_is_504(services):
    async def never(_request, _context):
        await asyncio.Event().wait()

    services.answers["GetTask"] = never
    async with (
        gateway(settings(services, call_timeout_seconds=0.2)) as address,
        httpx2.AsyncClient(base_url=f"http://{address}") as rest,
    ):
        answer = await rest.get("/api/v1/tasks/t1")
    assert answer.status_code == 504
    assert answer.json()["error"]["status"] == "DEADLINE_EXCEEDED"


async def test_the_api_describes_itself(rest):
    answer = await rest.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"] == "3.1.0"
    assert "/api/v1/tasks/{id}" in answer.json()["paths"]


async def test_a_body_that_does_not_come_is_408(services):
    async with gateway(settings(services, body_timeout_seconds=0.1, upload_idle_timeout_seconds=0.1)) as address:
        for path, kind in (("/api/login", "application/json"), ("/api/v1/imports", "text/csv")):
            services.answers["UploadImport"] = collect
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(
                f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: 9\r\n\r\n".encode()
            )
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert head.startswith(b"HTTP/1.1 408 ")
            writer.close()


async def test_header_lines_that_do_not_come_end_the_connection(services):
    services.answer("GetTask", task_pb2.Task())
    async with gateway(settings(services, header_timeout_seconds=0.1)) as address:
        for sent in (b"", b"GET /healthz HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /hea"):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(sent)
            await asyncio.wait_for(reader.read(), 10)
            writer.close()


async def start(services, **environment):
    """The gateway as its own process, and the address it logs."""
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


async def test_sigterm_lets_a_call_finish_ends_streams_with_a_word_and_exits_with_zero(services):
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow(_request, _context):
        asked.set()
        await answered.wait()
        return task_pb2.Task(id="t1")

    async def watch(_request, _context):
        yield import_pb2.Import(id="i1")
        await asyncio.Event().wait()

    services.answers |= {"GetTask": slow, "WatchImport": watch}
    process, url = await start(services)
    async with (
        httpx2.AsyncClient(base_url=url, timeout=20) as rest,
        rest.stream("GET", "/api/v1/imports/i1:watch") as events,
    ):
        lines = events.aiter_lines()
        await anext(lines)
        getting = asyncio.create_task(rest.get("/api/v1/tasks/t1"))
        await asyncio.wait_for(asked.wait(), 10)
        process.send_signal(signal.SIGTERM)
        rest_of_it = [line async for line in lines]
        assert "event: error" in rest_of_it
        assert any("STOPPING" in line for line in rest_of_it)
        answered.set()
        assert (await getting).status_code == 200
    log = (await process.stderr.read()).decode()
    assert await process.wait() == 0
    assert '"event": "stopped"' in log


async def test_the_log_tells_each_request_and_no_secret(services):
    services.refuse("Login", grpc.StatusCode.UNAUTHENTICATED, "WRONG_CREDENTIALS")
    services.answer("GetTask", task_pb2.Task())
    process, url = await start(services)
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


async def test_a_client_stream_that_nobody_wrote_an_upload_for_stops_start_up(services):
    rpcs = read_rpcs([service(HttpRule(post="/v1", body="*"), client_streaming=True)])
    upstream = Upstream(name="odd", target="127.0.0.1:1", rpcs=rpcs)
    limiter = AddressRateLimiter(per_minute=1, storage_url="memory://")
    with pytest.raises(UnsupportedContract, match=r"odd\d+\.Odd\.Do: a client stream"):
        build_router(
            upstreams=[upstream],
            settings=settings(services),
            comments=contract_comments(),
            limiter=limiter,
            stopping=asyncio.Event(),
        )
    await upstream.close()


def test_settings_that_are_missing_are_all_named_at_once():
    bare = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    ended = subprocess.run([sys.executable, "-m", "gateway"], env=bare, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    for name in ("GATEWAY_LISTEN", "GATEWAY_AUTH_TARGET", "GATEWAY_TASKS_TARGET"):
        assert name in ended.stderr


def test_an_address_that_is_taken_ends_the_start_with_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        targets = {"GATEWAY_AUTH_TARGET": "127.0.0.1:1", "GATEWAY_TASKS_TARGET": "127.0.0.1:1"}
        ended = subprocess.run(
            [sys.executable, "-m", "gateway"],
            env={**os.environ, "GATEWAY_LISTEN": listen, **targets},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert f"gateway: cannot listen on {listen}" in ended.stderr
    assert "Traceback" not in ended.stderr
