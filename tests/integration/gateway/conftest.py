"""A gateway on a real socket in front of fake gRPC services."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from chassis.settings import Listen
from gateway.server import run_server
from gateway.settings import GatewaySettings
from tests.integration.gateway.fake_services import FakeServices, receive_upload, running_fake_services


def settings(services: FakeServices, **changes: object) -> GatewaySettings:
    target = f"127.0.0.1:{services.port}"
    values = {"listen": Listen("127.0.0.1", 0), "auth_target": target, "tasks_target": target, **changes}
    return GatewaySettings.model_validate(values)


@pytest.fixture(scope="session")
async def running_services() -> AsyncIterator[FakeServices]:
    async with running_fake_services(FakeServices()) as services:
        yield services


@pytest.fixture(scope="session")
async def address(running_services: FakeServices) -> AsyncIterator[Listen]:
    limits = {"max_body_bytes": 10_000, "max_upload_bytes": 3_000_000, "keep_alive_seconds": 0.2, "drain_seconds": 1}
    async with run_server(settings(running_services, **limits)) as address:
        yield address


@pytest.fixture
def services(running_services: FakeServices) -> FakeServices:
    running_services.reset()
    return running_services


@pytest.fixture
async def rest(address: Listen) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://{address}") as client:
        yield client


@pytest.fixture
def upload_messages(services: FakeServices) -> list[Any]:
    """The messages that the fake service has received of an upload."""
    received: list[Any] = []

    async def handle(requests: AsyncIterator[Any], context: Any) -> Any:
        async def recorded() -> AsyncIterator[Any]:
            async for message in requests:
                received.append(message)
                yield message

        return await receive_upload(recorded(), context)

    services.handlers["UploadImport"] = handle
    return received
