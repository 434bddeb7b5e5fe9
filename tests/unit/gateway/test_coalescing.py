"""Responses wait for each other shortly before they begin."""

import asyncio
from typing import Any

import pytest

from chassis.kernel import coalescing
from chassis.probes.process_status import ProcessStatus
from gateway.transport.coalescing import CoalesceResponses

START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b""}


async def receive() -> Any:
    raise AssertionError("the application reads nothing")


async def test_responses_begin_together(monkeypatch):
    """The requests take different numbers of turns, and no response begins before all of them are ready."""
    monkeypatch.setattr(coalescing, "MAX_SECONDS", 60.0)
    steps: list[str] = []

    async def respond(scope, _, send):
        for _ in range(scope["turns"]):
            await asyncio.sleep(0)
        steps.append("ready")
        await send(START)
        await send(BODY)

    async def send(message) -> None:
        steps.append(message["type"])

    app = CoalesceResponses(respond, ProcessStatus("gateway", []))
    await asyncio.gather(*(app({"turns": turns}, receive, send) for turns in (9, 1, 5)))
    assert steps[:3] == ["ready"] * 3
    assert sorted(steps[3:]) == [BODY["type"]] * 3 + [START["type"]] * 3


async def test_no_response_waits_in_the_drain():
    """At its end, the loop has no turn left for a response that waits."""
    held = asyncio.Event()

    async def respond(scope, _, send):
        if scope["is_held"]:
            await held.wait()
        await send(START)

    async def send(_) -> None:
        pass

    status = ProcessStatus("gateway", [])
    status.begin_drain()
    app = CoalesceResponses(respond, status)
    other = asyncio.ensure_future(app({"is_held": True}, receive, send))
    await asyncio.sleep(0)
    with pytest.raises(StopIteration):
        app({"is_held": False}, receive, send).send(None)
    held.set()
    await other


async def test_response_alone_does_not_wait():
    """Neither a failed request nor a stream that has begun makes it wait."""
    streaming = asyncio.Event()

    async def respond(scope, _, send):
        if scope["is_failing"]:
            raise ValueError
        await send(START)
        if scope["is_stream"]:
            await streaming.wait()

    async def send(_) -> None:
        pass

    app = CoalesceResponses(respond, ProcessStatus("gateway", []))
    with pytest.raises(ValueError):  # noqa: PT011 - the application's
        await app({"is_failing": True}, receive, send)
    stream = asyncio.ensure_future(app({"is_failing": False, "is_stream": True}, receive, send))
    await asyncio.sleep(0)
    with pytest.raises(StopIteration):  # it ends without a turn of the event loop
        app({"is_failing": False, "is_stream": False}, receive, send).send(None)
    streaming.set()
    await stream
