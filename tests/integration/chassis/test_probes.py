"""Health checks and metrics of a process over plain HTTP."""

import asyncio
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from structlog.testing import capture_logs

from chassis.kernel.errors import StartError
from chassis.probes.dependency import Dependency, check_all, require_all
from chassis.probes.http_server import serve_probes
from chassis.probes.process_status import ProcessStatus
from chassis.settings import CannotListen, Listen
from deploy.local.host.free_ports import find_free_port

LOCAL = Listen("127.0.0.1", 0)


def get(port, path):
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}") as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


async def fetch(port, path):
    return await asyncio.to_thread(get, port, path)


async def respond():
    return None


async def fail():
    raise ConnectionError("refused by 10.0.0.1") from None


async def test_readiness_follows_the_phase():
    status = ProcessStatus("example")
    with serve_probes(LOCAL, status) as port:
        assert (await fetch(port, "/readyz"))[0] == 503
        status.set_ready()
        assert (await fetch(port, "/readyz"))[0] == 200
        status.begin_drain()
        code, body = await fetch(port, "/readyz")
    assert (code, json.loads(body)) == (503, {"status": "draining"})


async def test_liveness_notices_a_blocked_event_loop():
    with serve_probes(LOCAL, ProcessStatus("example")) as port, ThreadPoolExecutor() as threads:
        assert (await fetch(port, "/healthz"))[0] == 200
        code, body = threads.submit(get, port, "/healthz").result()  # blocks the event loop meanwhile
        assert (code, json.loads(body)) == (503, {"status": "event loop is blocked"})
        assert (await fetch(port, "/healthz"))[0] == 200


async def test_status_shows_dependencies_without_error_texts():
    """An error text can name hosts and users. The log has it."""
    up, down, unknown = (Dependency(name) for name in ("up", "down", "unknown"))
    await check_all({up: respond, down: fail})
    with serve_probes(LOCAL, ProcessStatus("example", [up, down, unknown])) as port:
        code, body = await fetch(port, "/statusz")
        metrics = (await fetch(port, "/metrics"))[1]
    states = {each["name"]: (each["state"], each["error"]) for each in json.loads(body)["dependencies"]}
    assert code == 200
    assert states == {"up": ("up", None), "down": ("down", "ConnectionError"), "unknown": ("unknown", None)}
    assert "10.0.0.1" not in body
    assert 'dependency_up{dependency="up"} 1.0' in metrics
    assert 'dependency_up{dependency="down"} 0.0' in metrics


async def test_unknown_path_names_the_others():
    with serve_probes(LOCAL, ProcessStatus("example")) as port:
        code, body = await fetch(port, "/health")
    assert code == 404
    assert "/readyz" in body


async def test_address_in_use_stops_the_start():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = Listen("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(CannotListen, match=str(listen)), serve_probes(listen, ProcessStatus("example")):
            pass


async def test_dependency_that_never_responds_stops_the_start():
    dependency = Dependency("example")
    with pytest.raises(ExceptionGroup) as raised:
        await require_all({dependency: fail}, {dependency: "EXAMPLE_URL"}, timeout_seconds=0.1)
    [error] = raised.value.exceptions
    assert isinstance(error, StartError)
    assert str(error).startswith("EXAMPLE_URL: refused by 10.0.0.1")


async def test_dependency_that_hangs_or_refuses_calls_is_explained():
    """The log has one line with the cause: no cancellation for a timeout, no block of lines for a failed call."""

    async def call() -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{find_free_port()}") as channel:
            await HealthStub(channel).Check(HealthCheckRequest())

    with capture_logs() as logs:
        await check_all({Dependency("hangs"): asyncio.Event().wait, Dependency("refuses"): call})
    found = {line["dependency"]: (line["error"], line["cause"]) for line in logs}
    assert found["hangs"] == ("TimeoutError", "no response within 2 seconds")
    assert found["refuses"][0] == "AioRpcError"
    assert found["refuses"][1].startswith("UNAVAILABLE: ")


async def test_dependency_is_retried_until_it_responds():
    attempts = []

    async def respond_at_last() -> None:
        attempts.append(1)
        if len(attempts) < 2:
            raise ConnectionError

    dependency = Dependency("example")
    await require_all({dependency: respond_at_last}, {dependency: "EXAMPLE_URL"}, timeout_seconds=30)
    assert dependency.state == "up"
