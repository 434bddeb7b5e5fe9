"""The gateway in front of the services in this process, and its error responses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2 as httpx

from gateway.server import run_server as run_gateway
from gateway.settings import GatewaySettings
from tests.support.system import ANY_PORT, Principal, System


@asynccontextmanager
async def rest_client(system: System, user: Principal) -> AsyncIterator[httpx.AsyncClient]:
    """Run a gateway; yield a client of its /api/v1 that carries the user's token."""
    targets = {"auth_target": system.auth_target, "tasks_target": system.tasks_target}
    settings = GatewaySettings.model_validate({"listen": ANY_PORT, "drain_seconds": 1, **targets})
    async with run_gateway(settings) as address:
        headers = {"authorization": f"Bearer {user.token}"}
        async with httpx.AsyncClient(base_url=f"http://{address}/api/v1", headers=headers, timeout=60) as client:
            yield client


def error_details(response: httpx.Response) -> list[tuple[str, str | None]]:
    """Return the reason and the field of each detail of an error response."""
    error = response.json()["error"]
    assert error["code"] == response.status_code
    assert error["request_id"] == response.headers["x-request-id"]
    assert error["details"]
    return [(detail["reason"], detail["field"]) for detail in error["details"]]


def violations_in(response: httpx.Response) -> list[tuple[str | None, str]]:
    """Return the field and the reason of each violation in a response of status 400."""
    assert response.status_code == httpx.codes.BAD_REQUEST, response.text
    return [(field, reason) for reason, field in error_details(response)]
