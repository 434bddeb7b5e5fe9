"""What a request may be before any application sees it: its head's size, its host, and where it ends."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager

import pytest
from taskmanager.tasks.v1 import task_pb2

TASK = b"GET /api/v1/tasks/t1 HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST /api/v1/tasks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def connected(address):
    reader, writer = await asyncio.open_connection(address.host, address.port, limit=2**20)
    try:
        yield reader, writer
    finally:
        writer.close()


def parted(answer):
    """The statuses and bodies of the answers on a connection."""
    answers = []
    while answer:
        head, _, rest = answer.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        (length,) = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
        answers.append((int(head.split()[1]), json.loads(rest[:length] or b"null")))
        answer = rest[length:]
    return answers


async def told(address, *pieces):
    """What is answered until the connection ends."""
    async with connected(address) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return parted(await asyncio.wait_for(reader.read(), 20))


def reasons(answers):
    for status, body in answers:
        assert set(body) == {"error"}
        assert body["error"]["code"] == status
        assert body["error"]["request_id"]
    return [(status, body["error"]["details"][0]["reason"]) for status, body in answers]


def answering_slowly(services):
    """What is set when the service is asked for a task, and what to set for its answer."""
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow(_request, _context):
        asked.set()
        await answered.wait()
        return task_pb2.Task(id="t1")

    services.answers["GetTask"] = slow
    return asked, answered


@pytest.fixture
def milk(services):
    services.answer("GetTask", task_pb2.Task(id="t1"))
    return services


async def test_what_is_no_http_is_answered_in_the_one_shape(address):
    assert reasons(await told(address, b"\x16\x03\x01 hello\r\n\r\n")) == [(400, "MALFORMED_HTTP")]


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
async def test_a_head_over_the_limits_is_431(address, milk, head):
    assert reasons(await told(address, head)) == [(431, "HEADERS_TOO_LARGE")]
    assert milk.calls == 0


@pytest.mark.parametrize(
    "begin",
    [TASK + b"x: ", TASK, CHUNKED + b"1\r\na\r\n0\r\nx: ", CHUNKED + b"1;x="],
    ids=["value", "name", "trailer", "chunk"],
)
async def test_a_header_without_an_end_is_431_before_its_sender_is_through(address, milk, begin):
    """The sender goes on for as long as it is let, as only one who means harm does; the answer is there meanwhile."""
    async with connected(address) as (reader, writer):
        writer.write(begin)

        async def endless():
            while True:
                writer.write(b"y" * 10_000)
                await writer.drain()

        sending = asyncio.create_task(endless())
        answer = await asyncio.wait_for(reader.read(), 20)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert reasons(parted(answer)) == [(431, "HEADERS_TOO_LARGE")]
    assert milk.calls == 0


async def test_a_url_over_the_limit_is_414(address):
    for end in (b" HTTP/1.1\r\nHost: a\r\n\r\n", b""):
        assert reasons(await told(address, b"GET /api/v1/tasks?q=" + b"y" * 70_000 + end)) == [(414, "URL_TOO_LONG")]


async def test_a_head_at_the_limits_is_taken_and_each_request_of_a_connection_has_its_own(address, milk):
    large = b"GET /api/v1/tasks/t1 HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 97 + b"y: " + b"z" * 60_000 + b"\r\n"
    answers = await told(address, large + b"\r\n", large + b"\r\n", large + b"Connection: close\r\n\r\n")
    assert [status for status, _ in answers] == [200, 200, 200]


async def test_a_body_is_no_head_however_long_it_is(address, milk):
    milk.answer("CreateTask", task_pb2.Task(id="t1"))
    body = json.dumps({"title": "x", "description": "y" * 9000}).encode()
    pieces = b"".join(b"%x\r\n%b\r\n" % (1, body[at : at + 1]) for at in range(len(body)))
    head = b"POST /api/v1/tasks HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    for sent in (
        head + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        head + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\nx-trailer: " + b"z" * 4000 + b"\r\n\r\n",
    ):
        assert [status for status, _ in await told(address, sent)] == [201]


async def test_a_trailer_is_no_header(address, milk):
    milk.answer("CreateTask", task_pb2.Task(id="t1"))
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    trailer = b"authorization: Bearer smuggled\r\nidempotency-key: smuggled\r\n"
    await told(address, head + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n")
    assert "authorization" not in milk.metadata
    assert milk.requests["CreateTask"][0].idempotency_key == ""


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
async def test_a_request_names_its_host_once_and_readably(address, milk, hosts):
    assert reasons(await told(address, b"GET /api/v1/tasks/t1 HTTP/1.1\r\n" + hosts + b"\r\n")) == [(400, "WRONG_HOST")]
    assert milk.calls == 0


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
async def test_hosts_of_every_form_are_taken_and_http_1_0_needs_none(address, milk, head):
    request = b"GET /api/v1/tasks/t1 HTTP/" + head + b"Connection: close\r\n\r\n"
    assert [status for status, _ in await told(address, request)] == [200]


async def test_an_upgrade_that_is_not_offered_is_answered_as_if_it_was_not_asked_for(address, milk, caplog):
    with caplog.at_level(logging.WARNING):
        upgrade = TASK + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        async with connected(address) as (reader, writer):
            writer.write(upgrade)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
            writer.write(TASK.replace(b"t1", b"t2") + b"\r\n")
            await asyncio.wait_for(reader.read(), 20)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in head
    assert [request.id for request in milk.requests["GetTask"]] == ["t1"]
    assert "pip install" not in caplog.text


async def test_a_body_behind_an_upgrade_is_not_taken_for_the_next_request(address, milk):
    inner = b"GET /api/v1/tasks/t2 HTTP/1.1\r\nHost: a\r\n\r\n"
    head = (
        b"POST /api/v1/tasks HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n"
    )
    assert reasons(await told(address, head % len(inner), inner)) == [(400, "UPGRADE_NOT_OFFERED")]
    assert milk.calls == 0


async def test_a_body_that_breaks_is_refused_once(address, milk):
    assert reasons(await told(address, CHUNKED, b"nonsense\r\n")) == [(400, "MALFORMED_HTTP")]
    assert milk.calls == 0


async def test_a_request_whose_body_broke_is_not_answered_by_its_service_too(address, services, caplog):
    asked, answered = answering_slowly(services)
    async with connected(address) as (reader, writer):
        writer.write(TASK + b"Transfer-Encoding: chunked\r\n\r\n")
        await asyncio.wait_for(asked.wait(), 10)
        writer.write(b"nonsense\r\n")
        answers = parted(await asyncio.wait_for(reader.read(), 20))
        answered.set()
        await asyncio.wait_for(services.ended.wait(), 10)
        # The gateway has had the answer by the time that it has another one.
        assert reasons(await told(address, b"nonsense\r\n\r\n")) == [(400, "MALFORMED_HTTP")]
    assert reasons(answers) == [(400, "MALFORMED_HTTP")]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_refusal_is_never_taken_for_the_answer_to_the_request_before(address, services):
    asked, answered = answering_slowly(services)
    async with connected(address) as (reader, writer):
        writer.write(TASK + b"\r\n")
        await asyncio.wait_for(asked.wait(), 10)
        writer.write(b"nonsense\r\n\r\n")
        await writer.drain()
        # Another connection's answer shows that the server has had the time to read this one's.
        assert reasons(await told(address, b"nonsense\r\n\r\n")) == [(400, "MALFORMED_HTTP")]
        answered.set()
        answers = parted(await asyncio.wait_for(reader.read(), 20))
    assert [(status, body.get("id")) for status, body in answers] == [(200, "t1")]
