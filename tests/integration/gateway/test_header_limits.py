"""Limits on the head of a request, and malformed HTTP, which the protocol class rejects."""

import asyncio
import json
import logging

import pytest
from taskmanager.tasks.v1 import task_pb2

from tests.integration.gateway.fake_services import slow_get_task
from tests.integration.gateway.raw_http import connected, parse_responses, reasons, responses_to

TASK = b"GET /api/v1/tasks/t1 HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST /api/v1/tasks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def task_service(services):
    services.respond_with("GetTask", task_pb2.Task(id="t1"))
    return services


async def test_malformed_http_gets_the_error_body(address):
    assert reasons(await responses_to(address, b"\x16\x03\x01 hello\r\n\r\n")) == [(400, "MALFORMED_HTTP")]


@pytest.mark.parametrize(
    "head",
    [
        TASK + b"".join(b"x-%d: y\r\n" % number for number in range(100)) + b"\r\n",
        TASK + b"".join(b"x: y\r\n" for _ in range(600_000)) + b"\r\n",
        TASK + b"x: " + b"y" * 65_536 + b"\r\n\r\n",
        TASK + b"x: " + b"y" * 40_000 + b"\r\nz: " + b"y" * 40_000 + b"\r\n\r\n",
        TASK + b"y" * 70_000 + b": x\r\n\r\n",
        b"GET /api/v1/tasks?q=" + b"y" * 40_000 + b" HTTP/1.1\r\nHost: a\r\nx: " + b"y" * 40_000 + b"\r\n\r\n",
        b"\r\n" * 40_000,
    ],
    ids=["101", "600,000", "one long value", "two", "a long name", "beside a long url", "nothing"],
)
async def test_head_over_the_limits_is_431(address, task_service, head):
    assert reasons(await responses_to(address, head)) == [(431, "HEADERS_TOO_LARGE")]
    assert task_service.calls == 0


@pytest.mark.parametrize(
    "begin",
    [TASK + b"x: ", TASK, CHUNKED + b"1\r\na\r\n0\r\nx: ", CHUNKED + b"1;x="],
    ids=["value", "name", "trailer", "chunk"],
)
async def test_endless_header_is_431_while_client_sends(address, task_service, begin):
    """A header that never ends is rejected while its client still sends, as only an attacker does."""
    async with connected(address) as (reader, writer):
        writer.write(begin)

        async def endless():
            while True:
                writer.write(b"y" * 10_000)
                await writer.drain()

        sending = asyncio.create_task(endless())
        response = await asyncio.wait_for(reader.read(), 20)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert reasons(parse_responses(response)) == [(431, "HEADERS_TOO_LARGE")]
    assert task_service.calls == 0


async def test_url_over_the_limit_is_414(address):
    for end in (b" HTTP/1.1\r\nHost: a\r\n\r\n", b""):
        assert reasons(await responses_to(address, b"GET /api/v1/tasks?q=" + b"y" * 70_000 + end)) == [
            (414, "URL_TOO_LONG")
        ]


async def test_head_limits_apply_to_each_request(address, task_service):
    """A head at the limits is accepted, and each request of a connection has limits of its own."""
    large = b"GET /api/v1/tasks/t1 HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 97 + b"y: " + b"z" * 60_000 + b"\r\n"
    responses = await responses_to(address, large + b"\r\n", large + b"\r\n", large + b"Connection: close\r\n\r\n")
    assert [status for status, _ in responses] == [200, 200, 200]


async def test_body_does_not_count_as_head(address, task_service):
    task_service.respond_with("CreateTask", task_pb2.Task(id="t1"))
    body = json.dumps({"title": "x", "description": "y" * 9000}).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (1, body[start : start + 1]) for start in range(len(body)))
    head = b"POST /api/v1/tasks HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    for sent in (
        head + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nx-trailer: " + b"z" * 4000 + b"\r\n\r\n",
    ):
        assert [status for status, _ in await responses_to(address, sent)] == [201]


async def test_trailer_is_not_a_header(address, task_service):
    task_service.respond_with("CreateTask", task_pb2.Task(id="t1"))
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    trailer = b"authorization: Bearer smuggled\r\nidempotency-key: smuggled\r\n"
    await responses_to(address, head + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n")
    assert "authorization" not in task_service.metadata
    assert task_service.requests["CreateTask"][0].idempotency_key == ""


@pytest.mark.parametrize(
    "hosts",
    [
        b"",
        b"Host: a\r\nHost: a\r\n",
        b"Host: a\r\nX: y\r\nhost: b\r\n",
        b"Host: a b\r\n",
        b"Host: a/b\r\n",
        b"Host: a@b\r\n",
    ],
    ids=["none", "the same twice", "two", "a space", "a slash", "a user"],
)
async def test_invalid_host_is_400(address, task_service, hosts):
    assert reasons(await responses_to(address, b"GET /api/v1/tasks/t1 HTTP/1.1\r\n" + hosts + b"\r\n")) == [
        (400, "WRONG_HOST")
    ]
    assert task_service.calls == 0


@pytest.mark.parametrize(
    "head",
    [
        b"1.1\r\nHost:\r\n",
        b"1.1\r\nHost: [::1]:80\r\n",
        b"1.1\r\nHost: a.example:8080\r\n",
        b"1.0\r\n",
        b"1.0\r\nHost: a\r\n",
    ],
)
async def test_valid_hosts_are_accepted(address, task_service, head):
    """Every valid form of Host is accepted; HTTP/1.0 needs none."""
    request = b"GET /api/v1/tasks/t1 HTTP/" + head + b"Connection: close\r\n\r\n"
    assert [status for status, _ in await responses_to(address, request)] == [200]


@pytest.mark.parametrize(
    ("version", "encoding", "expected"),
    [
        (b"1.1", b"gzip, chunked", (501, "UNSUPPORTED_TRANSFER_ENCODING")),
        (b"1.1", b"gzip\r\nTransfer-Encoding: chunked", (501, "UNSUPPORTED_TRANSFER_ENCODING")),
        (b"1.1", b"gzip", (501, "UNSUPPORTED_TRANSFER_ENCODING")),
        (b"1.1", b"chunked, gzip", (400, "MALFORMED_HTTP")),
        (b"1.1", b"chunked, chunked", (400, "MALFORMED_HTTP")),
        (b"1.0", b"chunked", (400, "MALFORMED_HTTP")),
    ],
    ids=["gzip and chunked", "two lines", "gzip", "gzip last", "chunked twice", "HTTP/1.0"],
)
async def test_transfer_coding_other_than_chunked_is_refused(address, task_service, version, encoding, expected):
    """A compressed body is not read as if it were plain (RFC 9112 section 6.1)."""
    head = b"POST /api/v1/tasks HTTP/" + version + b"\r\nHost: a\r\nTransfer-Encoding: " + encoding + b"\r\n\r\n"
    assert reasons(await responses_to(address, head + b"2\r\n{}\r\n0\r\n\r\n")) == [expected]
    assert task_service.calls == 0


async def test_malformed_body_gets_one_error(address, task_service):
    assert reasons(await responses_to(address, CHUNKED, b"nonsense\r\n")) == [(400, "MALFORMED_HTTP")]
    assert task_service.calls == 0


async def test_malformed_body_suppresses_service_response(address, services, caplog):
    """A request with a malformed body gets the error only, not the response of the service too."""
    called_event, release_event = slow_get_task(services)
    async with connected(address) as (reader, writer):
        writer.write(TASK + b"Transfer-Encoding: chunked\r\n\r\n")
        await asyncio.wait_for(called_event.wait(), 10)
        writer.write(b"nonsense\r\n")
        responses = parse_responses(await asyncio.wait_for(reader.read(), 20))
        release_event.set()
        await asyncio.wait_for(services.ended.wait(), 10)
        # When this second connection has its response, the gateway has processed the service's response too.
        assert reasons(await responses_to(address, b"nonsense\r\n\r\n")) == [(400, "MALFORMED_HTTP")]
    assert reasons(responses) == [(400, "MALFORMED_HTTP")]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_error_is_no_response_to_the_previous_request(address, services):
    """An error in the next request is not sent while the previous request waits for its response."""
    called_event, release_event = slow_get_task(services)
    async with connected(address) as (reader, writer):
        writer.write(TASK + b"\r\n")
        await asyncio.wait_for(called_event.wait(), 10)
        writer.write(b"nonsense\r\n\r\n")
        await writer.drain()
        # When this second connection has its response, the server has read the bytes of the first one too.
        assert reasons(await responses_to(address, b"nonsense\r\n\r\n")) == [(400, "MALFORMED_HTTP")]
        release_event.set()
        responses = parse_responses(await asyncio.wait_for(reader.read(), 20))
    assert [(status, body.get("id")) for status, body in responses] == [(200, "t1")]
