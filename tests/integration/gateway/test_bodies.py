"""Limits of JSON bodies, which the gateway checks before decoding."""

import json

import httpx2

from gateway.server import run_server
from tests.integration.gateway.conftest import settings
from tests.support.rest import error_details

JSON = {"content-type": "application/json"}


async def test_non_json_body_is_415(rest, services):
    for headers in ({"content-type": "text/plain"}, {"content-type": "application/json", "content-encoding": "gzip"}):
        response = await rest.post("/api/login", content=b"{}", headers=headers)
        assert response.status_code == 415
    assert (await rest.post("/api/login", data={"email": "a"})).status_code == 415
    assert services.calls == 0


async def test_body_over_the_limit_is_413(rest, services):
    """A body over the limit is a 413, with or without a Content-Length."""
    body = json.dumps({"title": "x" * 20_000}).encode()

    async def chunks():
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    for content in (body, chunks()):
        response = await rest.post("/api/tasks", content=content, headers=JSON)
        assert response.status_code == 413
        assert error_details(response) == [("BODY_TOO_LARGE", None)]
    assert services.calls == 0


async def test_oversized_batch_is_rejected_by_the_gateway(rest, services):
    """The gateway checks the length of a batch before it decodes the items, and calls no service."""
    for content, violation in (
        (b'{"requests": [' + b"{}," * 100 + b"{}]}", ("TOO_MANY_IN_BATCH", "requests")),
        (b'{"requests": [' + b"0," * 3000 + b"0]}", ("TOO_MANY_IN_BATCH", "requests")),
    ):
        response = await rest.post("/api/v1/tasks:batchCreate", content=content)
        assert (response.status_code, error_details(response)) == (400, [violation])
        assert not services.received(response)


async def test_too_many_values_are_rejected_on_every_path(services):
    body = b'{"requests": [' + b"{}," * 300_000 + b"{}]}"
    async with (
        run_server(settings(services)) as address,
        httpx2.AsyncClient(base_url=f"http://{address}") as rest,
    ):
        for path in ("/api/v1/tasks:batchCreate", "/api/v1/login", "/api/v1/tasks"):
            response = await rest.post(path, content=body)
            assert (response.status_code, error_details(response)) == (400, [("TOO_MANY_VALUES", None)])
            assert not services.received(response)
