"""The interceptor chain on a real server: what callers see of errors, request ids, deadlines and a stop."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from taskmanager.options.v1 import options_pb2
from taskmanager.trust.v1 import trust_service_pb2 as pb
from taskmanager.trust.v1 import trust_service_pb2_grpc

from chassis.config import Listen
from chassis.kernel import DomainError, Invalid, SeveralInvalid
from chassis.rpc import server as server_module
from chassis.rpc.access import Access
from chassis.rpc.client import aio_channel
from chassis.rpc.errors import details_of
from chassis.rpc.request_context import request_id, time_remaining
from chassis.rpc.server import GrpcServer, PortTaken, Registration
from chassis.rpc.trust import TrustState
from chassis.tokens import TokenVerifier

METHOD = "/taskmanager.trust.v1.TrustService/GetTrustState"

Behaviour = Callable[[], Awaitable[pb.TrustState]]


class Missing(DomainError):
    """There is no {thing}."""


class BadValue(Invalid):
    """The value {value} is bad."""


class Servicer(trust_service_pb2_grpc.TrustServiceServicer):
    """Does what the test says."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    async def GetTrustState(self, request, context) -> pb.TrustState:  # noqa: ARG002, N802 - gRPC's shape
        return await self._behaviour()


@pytest.fixture
def everybody_may(monkeypatch):
    """Makes the internal rpc public: these tests are about the rest of the chain."""
    real = server_module.read_policy
    monkeypatch.setattr(server_module, "read_policy", lambda services: {**real(services), METHOD: Access(public=True)})


def build(behaviour: Behaviour, *, port: int = 0, drain_seconds: float = 1) -> GrpcServer:
    return GrpcServer(
        listen=Listen("127.0.0.1", port),
        registrations=[
            Registration(
                pb.DESCRIPTOR.services_by_name["TrustService"],
                trust_service_pb2_grpc.add_TrustServiceServicer_to_server,
                Servicer(behaviour),
            )
        ],
        verifier=TokenVerifier(trust=TrustState(), issuer="x", audience="x"),
        status={Missing: grpc.StatusCode.NOT_FOUND},
        with_reflection=False,
        drain_seconds=drain_seconds,
    )


@asynccontextmanager
async def serving(behaviour: Behaviour):
    server = await build(behaviour).start()
    await server.ready()
    async with aio_channel(f"127.0.0.1:{server.port}") as channel:
        try:
            yield trust_service_pb2_grpc.TrustServiceStub(channel)
        finally:
            await server.stop()


async def failure(behaviour: Behaviour):
    async with serving(behaviour) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetTrustState(pb.GetTrustStateRequest())
        return caught.value


async def test_a_method_is_refused_to_whoever_the_contract_does_not_name():
    async def never() -> pb.TrustState:
        raise AssertionError

    error = await failure(never)
    assert (error.code(), details_of(error).reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_method_without_an_access_option_is_refused_to_everybody(monkeypatch):
    monkeypatch.setattr(server_module, "read_policy", lambda _: {})

    async def never() -> pb.TrustState:
        raise AssertionError

    assert (await failure(never)).code() is grpc.StatusCode.PERMISSION_DENIED
    assert options_pb2.access.number == 50001


async def test_an_unknown_exceptions_text_never_reaches_the_caller(everybody_may):
    async def broken() -> pb.TrustState:
        raise RuntimeError("postgresql://app:s3cret@db/tasks")

    error = await failure(broken)
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert "s3cret" not in str(error)


async def test_a_domain_error_has_its_nearest_classs_status_and_its_sentence(everybody_may):
    class MissingTask(Missing):
        """There is no task called {thing}."""

    async def missing() -> pb.TrustState:
        raise MissingTask(thing="milk")

    error = await failure(missing)
    status = details_of(error)
    assert (status.code, status.reason, status.message) == (
        grpc.StatusCode.NOT_FOUND,
        "MISSING_TASK",
        "There is no task called milk.",
    )


async def test_a_thousand_violations_are_cut_to_fifty_so_that_the_trailers_hold_them(everybody_may):
    async def wrong() -> pb.TrustState:
        raise SeveralInvalid([BadValue(field=f"field_{number}", value="x" * 500) for number in range(1000)])

    status = details_of(await failure(wrong))
    assert status.code is grpc.StatusCode.INVALID_ARGUMENT
    assert len(status.violations) == 50
    assert status.violations[0].field == "field_0"


async def test_the_request_id_comes_back_and_is_passed_on_with_the_deadline(everybody_may):
    seen: list[tuple[str, float | None]] = []

    async def second() -> pb.TrustState:
        seen.append((request_id(), time_remaining()))
        return pb.TrustState()

    async with AsyncExitStack() as stack:
        inner = await stack.enter_async_context(serving(second))

        async def first() -> pb.TrustState:
            return await inner.GetTrustState(pb.GetTrustStateRequest())

        outer = await stack.enter_async_context(serving(first))
        call = outer.GetTrustState(pb.GetTrustStateRequest(), metadata=(("x-request-id", "req-42"),), timeout=7)
        await call
        assert dict(await call.trailing_metadata())["x-request-id"] == "req-42"
    ((passed_on, left),) = seen
    assert passed_on == "req-42"
    assert left is not None
    assert 0 < left <= 7


@pytest.mark.parametrize("offered", ["", "x" * 65, "two words", "semi;colon"])
async def test_a_request_id_that_is_not_well_formed_is_replaced(everybody_may, offered):
    async def echo() -> pb.TrustState:
        return pb.TrustState(next_cursor=request_id())

    async with serving(echo) as stub:
        answer = await stub.GetTrustState(pb.GetTrustStateRequest(), metadata=(("x-request-id", offered),))
    assert answer.next_cursor
    assert answer.next_cursor != offered


async def test_a_second_server_cannot_share_the_port():
    async def nothing() -> pb.TrustState:
        return pb.TrustState()

    first = await build(nothing).start()
    try:
        with pytest.raises(PortTaken, match=str(first.port)):
            await build(nothing, port=first.port).start()
    finally:
        await first.stop()


async def test_a_stop_turns_health_off_at_once_and_lets_the_call_in_flight_end(everybody_may):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> pb.TrustState:
        begun.set()
        await go_on.wait()
        return pb.TrustState(next_cursor="ended well")

    server = await build(slow, drain_seconds=30).start()
    await server.ready()
    async with aio_channel(f"127.0.0.1:{server.port}") as channel:
        watch = aiter(health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()))
        assert (await anext(watch)).status == health_pb2.HealthCheckResponse.SERVING
        call = trust_service_pb2_grpc.TrustServiceStub(channel).GetTrustState(pb.GetTrustStateRequest())
        await begun.wait()
        stopping = asyncio.ensure_future(server.stop())
        assert (await anext(watch)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        go_on.set()
        assert (await call).next_cursor == "ended well"
    # The watcher's connection is closed with the channel, and nothing holds up the stop any more.
    await stopping
