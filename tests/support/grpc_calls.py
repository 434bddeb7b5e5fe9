"""Calls of gRPC methods that a test expects to fail, now or soon."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import grpc
import pytest

from chassis.rpc.errors import RichStatus, read_status

WAIT_SECONDS = 20
PAUSE_SECONDS = 0.05

Metadata = tuple[tuple[str, str], ...]
Response = TypeVar("Response")


def bearer(token: str) -> Metadata:
    """Return the metadata that carries an access token."""
    return (("authorization", f"Bearer {token}"),)


async def refused(call: Awaitable[object]) -> RichStatus:
    """Return the status of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return read_status(caught.value)


class Failure(NamedTuple):
    """Status of a failed call, with violations as (field, reason)."""

    code: grpc.StatusCode
    reason: str
    violations: list[tuple[str, str]]


async def expect_failure(call: Awaitable[object]) -> Failure:
    """Return the status of a call that must fail, in a form for comparisons."""
    status = await refused(call)
    return Failure(status.code, status.reason, violations_of(status))


def violations_of(status: RichStatus) -> list[tuple[str, str]]:
    """Return the field and the reason of each violation."""
    return [(violation.field, violation.reason) for violation in status.violations]


async def until_refused(call: Callable[[], Awaitable[object]]) -> RichStatus:
    """Repeat a call until it is refused, for verifiers poll; return the status."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                await call()
            except grpc.aio.AioRpcError as error:
                return read_status(error)
            await asyncio.sleep(PAUSE_SECONDS)


async def until_accepted(call: Callable[[], Awaitable[Response]]) -> Response:
    """Repeat a call that is refused at first; return its response."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError:
                await asyncio.sleep(PAUSE_SECONDS)
