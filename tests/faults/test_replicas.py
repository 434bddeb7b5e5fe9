"""Two replicas of each service and two gateways: a restart and a process that hangs fail no request."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx2 as httpx
import pytest

from tests.support.stack import LocalStack, running_stack
from tests.support.waiting import until_awaited

REQUESTS_PER_SECOND = 50
CLIENTS = 5
CLIENT_TIMEOUT_SECONDS = 10
"""Less than the gateway's own timeout of 15 seconds, after which a request to a process that hangs would end."""
ROUNDS = int(os.environ.get("FAULT_RESTART_ROUNDS", "1"))
"""Restarts of each process. One round takes about 20 seconds."""

SETTINGS = {f"{prefix}_DRAIN_DELAY_SECONDS": "1" for prefix in ("AUTH", "TASKS", "GATEWAY")}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory):
    data_dir = tmp_path_factory.mktemp("replicas") / "data"
    with running_stack(data_dir, "--replicas", "2", "--gateways", "2", **SETTINGS) as running:
        yield running


async def send_requests(http: httpx.AsyncClient, stop: asyncio.Event, results: Counter[str]) -> None:
    """Create, read and list tasks at a steady rate until told to stop. Count every result."""
    pause = CLIENTS / REQUESTS_PER_SECOND
    path = "/api/v1/me"
    while not stop.is_set():
        key = {"Idempotency-Key": str(uuid4())}
        for request in (
            http.build_request("POST", "/api/v1/tasks", json={"title": "x"}, headers=key),
            http.build_request("GET", path),
            http.build_request("GET", "/api/v1/tasks", params={"page_size": 5}),
            http.build_request("GET", "/api/v1/me"),
        ):
            try:
                response = await http.send(request)
            except httpx.TransportError as error:
                results[f"{request.method} {request.url.path} {type(error).__name__}: {error}"] += 1
                continue
            is_success = response.status_code in {200, 201}
            results["success" if is_success else f"{request.method} {request.url.path} {response.text}"] += 1
            if response.status_code == 201:
                path = f"/api/v1/tasks/{response.json()['id']}"
            await asyncio.sleep(pause)


async def restart(stack: LocalStack, name: str) -> None:
    """Send SIGTERM to a process and wait until the one that replaces it is ready."""
    pid = stack.endpoints["processes"][name]
    os.kill(pid, signal.SIGTERM)

    async def is_replaced() -> bool:
        if stack.endpoints["processes"].get(name) in {None, pid}:
            return False
        async with httpx.AsyncClient() as http:
            try:
                return (await http.get(f"{stack.endpoints['probes'][name]}/readyz")).status_code == 200
            except httpx.TransportError:
                return False

    await until_awaited(is_replaced, seconds=60)


@pytest.fixture
async def clients(stack: LocalStack) -> AsyncIterator[list[httpx.AsyncClient]]:
    headers = {"authorization": stack.api.new_user().http.headers["authorization"]}
    clients = [
        httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=CLIENT_TIMEOUT_SECONDS) for _ in range(CLIENTS)
    ]
    yield clients
    for client in clients:
        await client.aclose()


@asynccontextmanager
async def requests(clients: list[httpx.AsyncClient]) -> AsyncIterator[Counter[str]]:
    """Send requests while the context is open. At its end every request must have succeeded."""
    results: Counter[str] = Counter()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for http in clients:
            group.create_task(send_requests(http, stop, results))
        yield results
        stop.set()
    assert results.keys() == {"success"}, "\n".join(f"{count} x {result}" for result, count in results.items())


@pytest.mark.timeout(600)
async def test_rolling_restart_fails_no_request(stack: LocalStack, clients: list[httpx.AsyncClient]):
    async with requests(clients):
        for _ in range(ROUNDS):
            for name in stack.endpoints["probes"]:
                await restart(stack, name)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["auth_service-1", "task_service-1"])
async def test_process_that_hangs_fails_no_request(stack: LocalStack, clients: list[httpx.AsyncClient], name: str):
    """Its connections answer no pings, so that clients leave it and repeat what they sent to it."""
    pid = stack.endpoints["processes"][name]
    async with requests(clients) as results:
        os.kill(pid, signal.SIGSTOP)
        try:
            before = results["success"]

            async def clients_go_on() -> bool:
                return results["success"] > before + 300

            await until_awaited(clients_go_on, seconds=60)
        finally:
            os.kill(pid, signal.SIGCONT)
