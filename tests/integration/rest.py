"""The REST API in front of the services in this process, and text that is hard to get right."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2 as httpx

from chassis.settings import Listen
from gateway.bootstrap import gateway
from gateway.settings import GatewaySettings

LONG = "x" * 10_000
FAMILY = "👨\u200d👩\u200d👧\u200d👦 e\u0301"
RIGHT_TO_LEFT = "\u202bשלום\u200f العالم\u202c!"  # noqa: RUF001 - it is meant


@asynccontextmanager
async def rest_of(system, person) -> AsyncIterator[httpx.AsyncClient]:
    targets = {"auth_target": system.auth_target, "tasks_target": system.tasks_target}
    settings = GatewaySettings.model_validate({"listen": Listen("127.0.0.1", 0), "drain_seconds": 1, **targets})
    async with gateway(settings) as address:
        headers = {"authorization": f"Bearer {person.token}"}
        async with httpx.AsyncClient(base_url=f"http://{address}/api/v1", headers=headers) as http:
            yield http


def reasons(answer: httpx.Response) -> list[tuple[str, str]]:
    """The field and the reason of all that is wrong with a request."""
    assert answer.status_code == 400, answer.text
    return [(detail["field"], detail["reason"]) for detail in answer.json()["error"]["details"]]
