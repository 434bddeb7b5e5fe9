"""Requests with an Upgrade header: no upgrade is offered, and they are served over HTTP/1.1 (RFC 9110 section 7.8)."""

import asyncio
import json
import shutil

import pytest
from taskmanager.tasks.v1 import task_pb2

from tests.integration.gateway.raw_http import responses_to

UPGRADES = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAA\r\n",
    "websocket": b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    "two": b"Upgrade: h2c\r\nConnection: upgrade\r\nUpgrade: websocket\r\n",
}
GET = b"GET /api/v1/tasks/t1 HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /api/v1/tasks HTTP/1.1\r\nHost: a\r\n"
LAST = GET + b"Connection: close\r\n\r\n"
BODY = b'{"title": "x"}'


@pytest.fixture(autouse=True)
def task_service(services):
    services.respond_with("GetTask", task_pb2.Task(id="t1"))
    services.respond_with("CreateTask", task_pb2.Task(id="t2"))
    return services


def titles(services):
    return [request.task.title for request in services.requests["CreateTask"]]


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
    ],
    ids=["length", "chunked"],
)
async def test_upgrade_with_body_is_served(address, services, upgrade, body):
    """An upgrade request with a body is served, and so is the next request of its connection."""
    responses = await responses_to(address, POST + upgrade + body + LAST)
    assert [(status, body["id"]) for status, body in responses] == [(201, "t2"), (200, "t1")]
    assert titles(services) == ["x"]


async def test_upgrade_in_pieces_is_served(address, services):
    """The result does not depend on the chunks in which the request arrives."""
    sent = POST + UPGRADES["h2c"] + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY + LAST
    responses = await responses_to(address, *(sent[index : index + 1] for index in range(len(sent))))
    assert [status for status, _ in responses] == [201, 200]
    assert titles(services) == ["x"]


async def test_upgrade_without_body_keeps_the_connection(address):
    sent = GET + UPGRADES["websocket"] + b"\r\n"
    assert [status for status, _ in await responses_to(address, sent * 3 + LAST)] == [200] * 4


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_upgrade_that_closes_is_served(address, version):
    head = GET.replace(b"1.1\r\n", version + b"\r\n") + b"Connection: close, upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert [status for status, _ in await responses_to(address, head)] == [200]


async def test_upgrade_body_is_not_the_next_request(address, services):
    head = POST + UPGRADES["h2c"] + b"Content-Length: %d\r\n\r\n"
    responses = await responses_to(address, head % len(LAST) + LAST + LAST)
    assert [status for status, _ in responses] == [400, 200]
    assert responses[0][1]["error"]["details"][0]["reason"] == "MALFORMED_JSON"
    assert len(services.requests["GetTask"]) == 1


async def test_connect_is_400(address, services):
    responses = await responses_to(address, b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n" + LAST)
    assert [status for status, _ in responses] == [400]
    assert services.calls == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl with --http2")
async def test_curl_http2_gets_the_response(address, services):
    """curl --http2 sends `Upgrade: h2c` with its first request."""
    curl = await asyncio.create_subprocess_exec(
        *("curl", "--http2", "--silent", "--include", "--max-time", "20"),
        *("--header", "content-type: application/json", "--data", BODY.decode(), f"http://{address}/api/v1/tasks"),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(curl.communicate(), 30)
    head, _, body = output.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 201 ")
    assert json.loads(body)["id"] == "t2"
    assert titles(services) == ["x"]
