"""Active requests of one caller: a few at a time, so that the requests of others do not wait for all of them."""

import asyncio
import os
import sys
from collections import Counter
from functools import partial

import httpx2
from prometheus_client import REGISTRY
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_pb2

from chassis.limits import active_limit, caller_turns
from deploy.local.host.free_ports import find_free_port
from gateway.server import run_server
from gateway.transport.request import concurrency_limit
from tests.integration.gateway.conftest import settings
from tests.integration.gateway.fake_services import slow_get_task
from tests.integration.gateway.limited_gateway import LONG_SECONDS, TASK, WATCH, running_gateway
from tests.support.waiting import until, until_awaited

LIMITS = {"max_concurrent_requests": 20, "max_active_requests_per_caller": 2}


def start_requests(client, caller, count, path=TASK):
    headers = {"authorization": f"Bearer {caller}"}
    return [asyncio.create_task(client.get(path, headers=headers)) for _ in range(count)]


async def test_further_requests_of_a_caller_wait(services, monkeypatch):
    """None is refused, and another caller's request does not wait for them."""
    monkeypatch.setattr(concurrency_limit, "MAX_ACTIVE_SECONDS", LONG_SECONDS)
    async with running_gateway(services, **LIMITS) as (_, client):
        _, release = slow_get_task(services)
        requests = start_requests(client, "a", 5)
        await until(lambda: services.calls == 2)
        services.respond_with("CreateTask", task_pb2.Task(id="t2"))
        created = await client.post("/api/v1/tasks", json={"title": "x"}, headers={"authorization": "Bearer b"})
        assert (created.status_code, services.calls) == (201, 3)
        release.set()
        assert [(await request).status_code for request in requests] == [200] * 5


async def test_caller_that_is_alone_has_twice_as_many(services, monkeypatch):
    """Nobody waits for its requests, so a few more of them are worked on together."""
    monkeypatch.setattr(concurrency_limit, "MAX_ACTIVE_SECONDS", LONG_SECONDS)
    monkeypatch.setattr(active_limit, "ALONE_SECONDS", 0.0)
    async with running_gateway(services, **LIMITS) as (_, client):
        _, release = slow_get_task(services)
        requests = start_requests(client, "a", 5)
        await until(lambda: services.calls == 4)
        await until(lambda: in_flight() == 5)
        assert services.calls == 4
        release.set()
        assert [(await request).status_code for request in requests] == [200] * 5


async def test_waiting_requests_take_no_slots(services, monkeypatch):
    """Two callers with as many requests as they may have leave a slot to a third one, whose request ends first."""
    monkeypatch.setattr(concurrency_limit, "MAX_ACTIVE_SECONDS", LONG_SECONDS)
    async with running_gateway(services, **LIMITS) as (_, client):
        _, release = slow_get_task(services)
        requests = start_requests(client, "a", 10) + start_requests(client, "b", 10)
        await until(lambda: services.calls == 4)
        await until(lambda: in_flight() == len(requests))
        services.respond_with("CreateTask", task_pb2.Task(id="t2"))
        created = await client.post("/api/v1/tasks", json={"title": "x"}, headers={"authorization": "Bearer c"})
        # Of a fourth caller, only a request that would wait for its turn is refused.
        further = start_requests(client, "d", 3)
        done, _ = await asyncio.wait(further, return_when=asyncio.FIRST_COMPLETED)
        release.set()
        statuses = Counter([(await request).status_code for request in (*requests, *further)])
    assert (created.status_code, len(done), statuses) == (201, 1, {200: 22, 503: 1})


async def test_logins_that_wait_do_not_delay_a_refresh(services, monkeypatch):
    """Requests without a token are those of many users. A login takes long, because a password is hashed."""
    monkeypatch.setattr(concurrency_limit, "MAX_ACTIVE_SECONDS", LONG_SECONDS)
    release = asyncio.Event()

    async def log_in(_request, _context):
        await release.wait()
        return auth_service_pb2.LoginResponse()

    services.handlers["Login"] = log_in
    services.respond_with("RefreshToken", auth_service_pb2.LoginResponse())
    async with running_gateway(services, **LIMITS) as (_, client):
        logins = [asyncio.create_task(client.post("/api/v1/login", json={})) for _ in range(3)]
        await until(lambda: services.calls == 2 and in_flight() == 3)
        assert (await client.post("/api/v1/token:refresh", json={})).status_code == 200
        assert services.calls == 3
        release.set()
        assert [(await login).status_code for login in logins] == [200] * 3


def in_flight():
    return REGISTRY.get_sample_value("http_requests_in_flight")


async def test_hanging_requests_do_not_hold_back_others(services, monkeypatch):
    """All requests of a caller reach the service, although none has a response."""
    monkeypatch.setattr(concurrency_limit, "MAX_ACTIVE_SECONDS", 0.01)
    async with running_gateway(services, **LIMITS) as (_, client):
        _, release = slow_get_task(services)
        requests = start_requests(client, "a", 6)
        await until(lambda: services.calls == 6)
        release.set()
        assert [(await request).status_code for request in requests] == [200] * 6


async def test_streams_of_a_caller_send_in_turns(services, monkeypatch):
    """Five short streams of one caller still wait for their turns when a long stream of another caller has ended."""
    monkeypatch.setattr(caller_turns, "STEP_SECONDS", 0.1)  # so long that a slow machine changes no order
    all_called = asyncio.Barrier(6)

    async def watch(_request, context):
        is_long = ("authorization", "Bearer b") in context.invocation_metadata()
        await all_called.wait()
        for _ in range(500 if is_long else 50):
            yield import_pb2.Import(id="i1")

    services.handlers["WatchImport"] = watch
    async with running_gateway(services, **LIMITS) as (_, client):
        short, (long,) = start_requests(client, "a", 5, WATCH), start_requests(client, "b", 1, WATCH)
        done, waiting = await asyncio.wait([*short, long], return_when=asyncio.FIRST_COMPLETED)
        for stream in waiting:
            stream.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert done == {long}
    assert long.result().text.count("i1") == 500


async def test_end_of_the_drain_ends_requests_with_an_error(services, monkeypatch, caplog):
    """One that a service works on and one that waits for it get the error body. The log shows no exception."""
    monkeypatch.setattr(concurrency_limit, "MAX_ACTIVE_SECONDS", LONG_SECONDS)
    _, release = slow_get_task(services)
    gateway = run_server(settings(services, max_active_requests_per_caller=1, drain_seconds=1))
    address = await gateway.__aenter__()
    async with httpx2.AsyncClient(base_url=f"http://{address}", timeout=LONG_SECONDS) as client:
        requests = start_requests(client, "a", 2)
        await until(lambda: in_flight() == 2)
        await gateway.__aexit__(None, None, None)
        release.set()
        errors = [(await request).json()["error"] for request in requests]
    assert [(error["code"], error["details"][0]["reason"]) for error in errors] == [(503, "STOPPING")] * 2
    assert "Exception in ASGI application" not in caplog.text


async def test_process_that_ends_sends_the_errors(services):
    """Its event loop ends with the drain, so no error can wait for anything."""
    _, release = slow_get_task(services)
    port = find_free_port()
    environment = {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_AUTH_TARGET": f"127.0.0.1:{services.port}",
        "GATEWAY_TASKS_TARGET": f"127.0.0.1:{services.port}",
        "GATEWAY_DRAIN_DELAY_SECONDS": "0",
        "GATEWAY_DRAIN_SECONDS": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway"), env={**os.environ, **environment}, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=LONG_SECONDS) as client:
            await until_awaited(partial(is_ready, client))
            requests = [request for caller in "abc" for request in start_requests(client, caller, 2)]
            await until(lambda: services.calls == len(requests))
            process.terminate()
            responses = await asyncio.gather(*requests)
        _, log = await process.communicate()
    finally:
        release.set()
        if process.returncode is None:
            process.kill()
            await process.wait()
    errors = [(response.status_code, response.json()["error"]["details"][0]["reason"]) for response in responses]
    assert errors == [(503, "STOPPING")] * len(requests)
    assert (process.returncode, b"Exception in ASGI application" in log) == (0, False)


async def is_ready(client) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx2.TransportError:
        return False
