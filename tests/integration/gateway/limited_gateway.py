"""A gateway with few slots, and the requests that fill them."""

import asyncio
from contextlib import asynccontextmanager

import httpx2

from gateway.server import run_server
from tests.integration.gateway.conftest import settings
from tests.integration.gateway.fake_services import slow_get_task
from tests.support.waiting import until_awaited

TASK = "/api/v1/tasks/t1"
WATCH = "/api/v1/imports/i1:watch"
GET = b"GET /api/v1/tasks/t1 HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /api/v1/tasks HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
LONG_SECONDS = 30


@asynccontextmanager
async def running_gateway(services, **limits):
    """A gateway with one slot and no queue, unless the limits say otherwise, and a client of it."""
    values = {"max_concurrent_requests": 1, "max_queued_requests": 0, **limits}
    async with (
        run_server(settings(services, **values)) as address,
        httpx2.AsyncClient(base_url=f"http://{address}", timeout=LONG_SECONDS) as client,
    ):
        await until_awaited(lambda: is_ready(client))
        yield address, client


async def is_ready(client):
    return (await client.get("/readyz")).status_code == 200


@asynccontextmanager
async def occupied_slot(client, services, headers=None):
    """One request that a service works on; yield the event that releases it, and end it."""
    called, release = slow_get_task(services)
    request = asyncio.create_task(client.get(TASK, headers=headers or {}))
    await called.wait()
    try:
        yield release
    finally:
        release.set()
        assert (await request).status_code == 200


async def status_of(client, path=TASK):
    return (await client.get(path)).status_code
