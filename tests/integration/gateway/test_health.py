"""Health checks of the gateway, and its last seconds after SIGTERM."""

import asyncio
import os
import socket
from contextlib import AsyncExitStack

import httpx2
import pytest
from grpc_health.v1 import health_pb2
from taskmanager.tasks.v1 import task_pb2

from chassis.kernel.errors import StartError
from deploy.local.host.free_ports import find_free_port
from gateway.server import run_server
from tests.integration.gateway.conftest import settings
from tests.support.waiting import until_awaited


async def test_liveness(rest):
    response = await rest.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_not_ready_before_each_service_is_reached(services):
    async with (
        run_server(settings(services, tasks_target=f"127.0.0.1:{find_free_port()}")) as address,
        httpx2.AsyncClient(base_url=f"http://{address}") as rest,
    ):
        assert (await rest.get("/healthz")).status_code == 200

        async def only_one_is_missing() -> bool:
            response = await rest.get("/readyz")
            assert response.status_code == 503
            messages = [detail["message"] for detail in response.json()["error"]["details"]]
            assert "task_service has not been reached since the start." in messages
            return len(messages) == 1

        await until_awaited(only_one_is_missing)


async def test_stays_ready_while_a_service_is_down(services):
    """An outage of a service that all gateways share does not take all gateways out. /statusz shows it."""
    async with (
        run_server(settings(services)) as address,
        httpx2.AsyncClient(base_url=f"http://{address}") as rest,
    ):

        async def is_ready() -> bool:
            return (await rest.get("/readyz")).status_code == 200

        async def is_down() -> bool:
            status = (await rest.get("/statusz")).json()
            assert (status["service"], status["phase"]) == ("gateway", "ready")
            states = {each["name"]: each["state"] for each in status["dependencies"]}
            return states == {"auth_service": "down", "task_service": "down"}

        await until_awaited(is_ready)
        await services.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        try:
            await until_awaited(is_down)
            assert await is_ready()
        finally:
            await services.health.set("", health_pb2.HealthCheckResponse.SERVING)


async def test_serves_and_closes_connections_during_the_drain_delay(services):
    """Load balancers see 503 at /readyz and leave. Each client's connection is closed after its response."""

    async def get_task(request, _context):
        return task_pb2.Task(id=request.id)

    services.handlers["GetTask"] = get_task
    stack = AsyncExitStack()
    address = await stack.enter_async_context(run_server(settings(services, drain_delay_seconds=1, drain_seconds=1)))
    async with httpx2.AsyncClient(base_url=f"http://{address}") as rest:

        async def readiness() -> int:
            return (await rest.get("/readyz")).status_code

        async def is_draining() -> bool:
            return await readiness() == 503

        async def is_ready() -> bool:
            return await readiness() == 200

        await until_awaited(is_ready)
        assert "connection" not in (await rest.get("/api/v1/tasks/t1")).headers
        closing = asyncio.create_task(stack.aclose())
        await until_awaited(is_draining)
        response = await rest.get("/api/v1/tasks/t1")
        assert (response.status_code, response.headers["connection"]) == (200, "close")
        await closing
        with pytest.raises(httpx2.ConnectError):
            await rest.get("/healthz")


async def test_inherited_socket_refuses_nobody_between_processes(services):
    """A connection that arrives between two gateways on one listening socket waits for the second one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def inherited():
            return run_server(settings(services, listen_fd=os.dup(listener.fileno()), drain_seconds=1))

        async with httpx2.AsyncClient(base_url=url) as rest:
            async with inherited(), inherited():
                assert (await rest.get("/healthz")).status_code == 200
            waiting = asyncio.create_task(rest.get("/healthz"))
            async with inherited():
                assert (await waiting).status_code == 200


@pytest.mark.parametrize("make", [lambda: os.open(os.devnull, os.O_RDONLY), lambda: 999_999])
async def test_inherited_file_must_be_a_listening_socket(services, make):
    with pytest.raises(StartError, match=r"GATEWAY_LISTEN_FD: file descriptor .* is no listening socket"):
        async with run_server(settings(services, listen_fd=make())):
            pass
