"""Requests at a steady rate, of which none may fail, while a test does something to the processes."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx2 as httpx

from tests.support.stack import LocalStack
from tests.support.waiting import until_awaited

REQUESTS_PER_SECOND = 50
CLIENTS = 5
CLIENT_TIMEOUT_SECONDS = 10
"""Less than the gateway's own timeout of 15 seconds, after which a request to a process that hangs would end."""


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


@asynccontextmanager
async def open_clients(stack: LocalStack) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Yield clients of a new user."""
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
