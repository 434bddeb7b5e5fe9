"""A real gateway on real HTTP, before real gRPC servers."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from chassis.settings import Listen
from gateway.bootstrap import gateway
from gateway.settings import GatewaySettings
from tests.integration.gateway.services import Services, collect, serving


def settings(services: Services, **changes: object) -> GatewaySettings:
    target = f"127.0.0.1:{services.port}"
    values = {"listen": Listen("127.0.0.1", 0), "auth_target": target, "tasks_target": target, **changes}
    return GatewaySettings.model_validate(values)


@pytest.fixture(scope="session")
async def running_services() -> AsyncIterator[Services]:
    async with serving(Services()) as services:
        yield services


@pytest.fixture(scope="session")
async def address(running_services: Services) -> AsyncIterator[Listen]:
    small = {"max_body_bytes": 10_000, "max_upload_bytes": 3_000_000, "keep_alive_seconds": 0.2, "drain_seconds": 1}
    async with gateway(settings(running_services, **small)) as address:
        yield address


@pytest.fixture
def services(running_services: Services) -> Services:
    running_services.reset()
    return running_services


@pytest.fixture
async def rest(address: Listen) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://{address}") as client:
        yield client


@pytest.fixture
def taken(services: Services) -> list[Any]:
    """What the service got of each message of an upload, whatever came of it."""
    got: list[Any] = []

    async def take(requests: AsyncIterator[Any], context: Any) -> Any:
        async def noted() -> AsyncIterator[Any]:
            async for message in requests:
                got.append(message)
                yield message

        return await collect(noted(), context)

    services.answers["UploadImport"] = take
    return got
