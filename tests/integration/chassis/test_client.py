"""Calls on our channels: request id and deadline of the request that is being served."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import (
    aio,
    method_handlers_generic_handler,
    stream_stream_rpc_method_handler,
    stream_unary_rpc_method_handler,
    unary_stream_rpc_method_handler,
    unary_unary_rpc_method_handler,
)

from chassis.rpc.client import open_channel
from chassis.rpc.request_context import enter_deadline, enter_request

SECONDS_LEFT = 1000.0


def describe(context: Any) -> bytes:
    """Return the request id of the call, and whether its deadline is the one of the request being served."""
    metadata = dict(context.invocation_metadata() or ())
    remaining = context.time_remaining()
    has_deadline = remaining is not None and abs(remaining - SECONDS_LEFT) < SECONDS_LEFT / 2
    return f"{metadata['x-request-id']!s} {has_deadline}".encode()


async def unary(_: object, context: Any) -> bytes:
    return describe(context)


async def stream(_: object, context: Any) -> AsyncIterator[bytes]:
    yield describe(context)


@pytest.fixture
async def target() -> AsyncIterator[str]:
    server = aio.server(options=[("grpc.so_reuseport", 0)])
    handlers: dict[str, Any] = {
        "UnaryUnary": unary_unary_rpc_method_handler(unary),
        "UnaryStream": unary_stream_rpc_method_handler(stream),
        "StreamUnary": stream_unary_rpc_method_handler(unary),
        "StreamStream": stream_stream_rpc_method_handler(stream),
    }
    server.add_generic_rpc_handlers((method_handlers_generic_handler("test.Test", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_every_kind_of_call_carries_request_id_and_deadline(target):
    async def call_all() -> list[bytes]:
        enter_request("request-1")
        enter_deadline(lambda: SECONDS_LEFT)
        async with open_channel(target) as opened:
            channel: Any = opened
            return [
                await channel.unary_unary("/test.Test/UnaryUnary")(b""),
                *[message async for message in channel.unary_stream("/test.Test/UnaryStream")(b"")],
                await channel.stream_unary("/test.Test/StreamUnary")(iter([b""])),
                *[message async for message in channel.stream_stream("/test.Test/StreamStream")(iter([b""]))],
            ]

    # A task of its own: the context ends with it.
    assert await asyncio.create_task(call_all()) == [b"request-1 True"] * 4
