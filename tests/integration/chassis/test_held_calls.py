"""Clients that open calls and never complete their request, against a server with small limits."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from taskmanager.imports.v1 import import_service_pb2_grpc

from chassis.limits.load_shed import Capacity
from tests.integration.chassis.busy_server import (
    SECONDS,
    BusyServer,
    running_busy_server,
    separate_connection,
)
from tests.support.grpc_calls import refused
from tests.support.grpc_server import GET_IMPORT, user_metadata
from tests.support.metrics import handled_calls, metric_value
from tests.support.raw_http2 import half_message, open_call, raw_connection
from tests.support.waiting import until

CAPACITY = Capacity(max_concurrent_calls=10, max_concurrent_streams=10)
HELD_CALLS = 400
"""Twice the number of calls that gRPC accepts with this capacity."""
CONNECTIONS = 10
NEVER = 3600.0
SERVING = health_pb2.HealthCheckResponse.SERVING
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
GET, WATCH_IMPORT = (f"/taskmanager.imports.v1.ImportService/{name}" for name in ("GetImport", "WatchImport"))
UNARY, STREAM = "stream_unary", "stream_stream"


class Attacker:
    """Client that opens calls with headers only, on several connections."""

    def __init__(self, target: str) -> None:
        self._channels = [separate_connection(target) for _ in range(CONNECTIONS)]
        self.calls: list[aio.Call] = []

    async def hold(self, method: str, shape: str, *, count: int = HELD_CALLS, metadata=()) -> None:
        """Open calls and send their headers, but no message."""
        for number in range(count):
            multicallable = getattr(self._channels[number % CONNECTIONS], shape)(method)
            self.calls.append(multicallable(metadata=metadata))
        await asyncio.gather(*(channel.channel_ready() for channel in self._channels))

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()


@asynccontextmanager
async def attacked_server(*, request_timeout_seconds: float = NEVER):
    async with running_busy_server(CAPACITY, request_timeout_seconds=request_timeout_seconds) as busy:
        busy.servicer.proceed.set()
        attacker = Attacker(busy.target)
        try:
            yield busy, attacker
        finally:
            await attacker.close()


async def assert_served(busy: BusyServer) -> None:
    """Assert that health and a well-behaved client are served, on a new connection."""
    async with separate_connection(busy.target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)).status == SERVING
        imports = import_service_pb2_grpc.ImportServiceStub(channel)
        assert (await imports.GetImport(GET_IMPORT, metadata=user_metadata(), timeout=SECONDS)).id == "response"


def refusals() -> float:
    return metric_value("grpc_server_shed_total", kind="pending")


@pytest.mark.parametrize(("method", "shape"), [(CHECK, UNARY), (WATCH, STREAM), (GET, UNARY), (WATCH_IMPORT, STREAM)])
async def test_held_calls_do_not_silence_the_server(method, shape, capfd):
    """More held calls than gRPC accepts: the oldest are refused, counted and logged; other clients are served."""
    before = refusals()
    handled = handled_calls(method, "ResourceExhausted")
    async with attacked_server() as (busy, attacker):
        await attacker.hold(method, shape, metadata=user_metadata())
        await until(lambda: refusals() - before >= HELD_CALLS - CAPACITY.max_pending_requests)
        await assert_served(busy)
        await until(lambda: any(call.done() for call in attacker.calls))
        refused_call = next(call for call in attacker.calls if call.done())
        status = await refused(refused_call if shape == UNARY else refused_call.read())
        assert (status.code, status.reason, status.retry_after_seconds) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "TOO_MANY_PENDING_REQUESTS",
            1.0,
        )
    assert handled_calls(method, "ResourceExhausted") > handled
    assert ("RESOURCE_EXHAUSTED" in capfd.readouterr().out) == (method in {GET, WATCH_IMPORT})


async def test_held_call_without_token_ends_at_its_headers():
    """A call without a token is refused before its message arrives."""
    async with attacked_server() as (busy, attacker):
        await attacker.hold(GET, UNARY)
        statuses = await asyncio.gather(*map(refused, attacker.calls))
        assert {status.code for status in statuses} == {grpc.StatusCode.UNAUTHENTICATED}
        await assert_served(busy)


async def test_held_call_ends_after_the_request_timeout():
    """One held call is DEADLINE_EXCEEDED after the timeout, counted and answered with a reason."""
    before = refusals()
    async with attacked_server(request_timeout_seconds=0.05) as (busy, attacker):
        await attacker.hold(GET, UNARY, count=1, metadata=user_metadata())
        status = await refused(attacker.calls[0])
        assert (status.code, status.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "REQUEST_TIMEOUT")
        assert status.message.startswith("The request message did not arrive within 0.05 seconds.")
        await assert_served(busy)
    assert refusals() == before + 1


async def test_call_without_end_of_stream_is_held_too():
    """A request without the end of the stream is not complete: a second message may follow."""
    async with attacked_server(request_timeout_seconds=0.05) as (_, attacker):
        await attacker.hold(GET, UNARY, count=1, metadata=user_metadata())
        await attacker.calls[0].write(GET_IMPORT.SerializeToString())
        assert (await refused(attacker.calls[0])).reason == "REQUEST_TIMEOUT"


@pytest.mark.parametrize(("count", "reason"), [(0, "MISSING_REQUEST"), (2, "SECOND_REQUEST")])
async def test_unary_call_takes_one_message(count, reason):
    async with attacked_server() as (busy, attacker):
        channel = attacker._channels[0]
        requests = iter([GET_IMPORT.SerializeToString()] * count)
        status = await refused(channel.stream_unary(GET)(requests, metadata=user_metadata(), timeout=SECONDS))
        assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
        assert busy.servicer.started == 0


async def test_cancelled_held_call_frees_its_slot():
    before = refusals()
    async with attacked_server() as (busy, attacker):
        in_flight = metric_value("grpc_server_in_flight")
        await attacker.hold(GET, UNARY, count=5, metadata=user_metadata())
        await until(lambda: metric_value("grpc_server_in_flight") == in_flight + 5)
        for call in attacker.calls:
            call.cancel()
        await until(lambda: metric_value("grpc_server_in_flight") == in_flight)
        await assert_served(busy)
    assert refusals() == before


async def test_half_sent_messages_do_not_silence_the_server():
    """Calls that send the first byte of a message of 100 bytes are bounded like those that send nothing."""
    before = refusals()
    async with attacked_server() as (busy, _), AsyncExitStack() as stack:
        for _ in range(CONNECTIONS):
            connection = await stack.enter_async_context(raw_connection(busy.target))
            for number in range(HELD_CALLS // CONNECTIONS):
                stream = 2 * number + 1
                connection.write(open_call(stream, GET, user_metadata()) + half_message(stream))
            await connection.drain()
        await until(lambda: refusals() - before >= HELD_CALLS - CAPACITY.max_pending_requests)
        await assert_served(busy)
