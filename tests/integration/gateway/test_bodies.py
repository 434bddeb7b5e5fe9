"""What a JSON body may be, before anything is made of it."""

import json

import httpx2

from gateway.bootstrap import gateway
from tests.integration.gateway.conftest import settings
from tests.support.rest import error_details

JSON = {"content-type": "application/json"}


async def test_a_body_of_another_kind_is_415(rest, services):
    for headers in ({"content-type": "text/plain"}, {"content-type": "application/json", "content-encoding": "gzip"}):
        answer = await rest.post("/api/login", content=b"{}", headers=headers)
        assert answer.status_code == 415
    assert (await rest.post("/api/login", data={"email": "a"})).status_code == 415
    assert services.calls == 0


async def test_a_body_over_the_limit_is_413_announced_or_not(rest, services):
    body = json.dumps({"title": "x" * 20_000}).encode()

    async def pieces():
        for at in range(0, len(body), 1000):
            yield body[at : at + 1000]

    for content in (body, pieces()):
        answer = await rest.post("/api/tasks", content=content, headers=JSON)
        assert answer.status_code == 413
        assert error_details(answer) == [("BODY_TOO_LARGE", None)]
    assert services.calls == 0


async def test_a_batch_is_counted_before_it_is_built_and_one_of_too_many_goes_nowhere(rest, services):
    for content, refusal in (
        (b'{"requests": [' + b"{}," * 100 + b"{}]}", ("TOO_MANY_IN_BATCH", "requests")),
        (b'{"requests": [' + b"0," * 3000 + b"0]}", ("TOO_MANY_IN_BATCH", "requests")),
    ):
        answer = await rest.post("/api/v1/tasks:batchCreate", content=content)
        assert (answer.status_code, error_details(answer)) == (400, [refusal])
        assert not services.got(answer)


async def test_a_body_of_too_many_values_is_refused_wherever_it_goes(services):
    body = b'{"requests": [' + b"{}," * 300_000 + b"{}]}"
    async with (
        gateway(settings(services)) as address,
        httpx2.AsyncClient(base_url=f"http://{address}") as rest,
    ):
        for path in ("/api/v1/tasks:batchCreate", "/api/v1/login", "/api/v1/tasks"):
            answer = await rest.post(path, content=body)
            assert (answer.status_code, error_details(answer)) == (400, [("TOO_MANY_VALUES", None)])
            assert not services.got(answer)
