"""The interceptor chain on a real server: what callers see of errors, request ids, deadlines and a stop."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from taskmanager.trust.v1 import trust_service_pb2 as pb
from taskmanager.trust.v1 import trust_service_pb2_grpc

from chassis.settings import Listen
from chassis.kernel.errors import DomainError
from chassis.kernel.errors import Invalid
from chassis.kernel.errors import ValidationErrors
from chassis.rpc.client import open_channel
from chassis.rpc.errors import read_status
from chassis.rpc.request_context import request_id, time_remaining
from chassis.rpc.server import GrpcServer, PortTaken, Registration
from tests.small_server import listening, service, small_server, trust

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


def build(behaviour: Behaviour, *more: Registration, **settings: Any) -> GrpcServer:
    return small_server(trust(Servicer(behaviour)), *more, status={Missing: grpc.StatusCode.NOT_FOUND}, **settings)


class Client:
    """Calls the method with a good token."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = trust_service_pb2_grpc.TrustServiceStub(channel)

    def __call__(self, *metadata: tuple[str, str], timeout: float | None = None):
        request = pb.GetTrustStateRequest()
        return self._stub.GetTrustState(request, metadata=(*service("trust:read"), *metadata), timeout=timeout)


@asynccontextmanager
async def serving(behaviour: Behaviour):
    async with listening(build(behaviour)) as target, open_channel(target) as channel:
        yield Client(channel)


async def failure(behaviour: Behaviour):
    async with serving(behaviour) as call:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call()
        return caught.value


async def never() -> pb.TrustState:
    raise AssertionError


async def test_a_call_without_a_token_does_not_reach_the_method():
    async with listening(build(never)) as target, open_channel(target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await trust_service_pb2_grpc.TrustServiceStub(channel).GetTrustState(pb.GetTrustStateRequest())
    assert (caught.value.code(), read_status(caught.value).reason) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "UNAUTHENTICATED",
    )


async def test_a_method_without_an_access_option_is_refused_to_everybody():
    file = descriptor_pb2.FileDescriptorProto(name="nobody.proto", package="example.v1")
    file.dependency.append("google/protobuf/empty.proto")
    method = file.service.add(name="NobodyService").method.add(name="Call")
    method.input_type = method.output_type = ".google.protobuf.Empty"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(empty_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    handler = grpc.unary_unary_rpc_method_handler(never, empty_pb2.Empty.FromString, empty_pb2.Empty.SerializeToString)
    handlers = grpc.method_handlers_generic_handler("example.v1.NobodyService", {"Call": handler})
    forgotten = Registration(
        pool.FindServiceByName("example.v1.NobodyService"),
        lambda _, server: server.add_generic_rpc_handlers((handlers,)),
        None,
    )
    async with listening(build(never, forgotten)) as target, open_channel(target) as channel:
        call: Any = channel.unary_unary("/example.v1.NobodyService/Call", empty_pb2.Empty.SerializeToString)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(empty_pb2.Empty(), metadata=service("trust:read"))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_an_unknown_exceptions_text_never_reaches_the_caller():
    async def broken() -> pb.TrustState:
        raise RuntimeError("postgresql://app:s3cret@db/tasks")

    error = await failure(broken)
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert "s3cret" not in str(error)


async def test_a_domain_error_has_its_nearest_classs_status_and_its_sentence():
    class MissingTask(Missing):
        """There is no task called {thing}."""

    async def missing() -> pb.TrustState:
        raise MissingTask(thing="milk")

    error = await failure(missing)
    status = read_status(error)
    assert (status.code, status.reason, status.message) == (
        grpc.StatusCode.NOT_FOUND,
        "MISSING_TASK",
        "There is no task called milk.",
    )


async def test_a_long_sentence_is_told_whole_in_its_violation_too():
    async def wrong() -> pb.TrustState:
        raise BadValue(field="names", value="x" * 400)

    status = read_status(await failure(wrong))
    assert status.violations[0].message == status.message == f"The value {'x' * 400} is bad."


async def test_a_thousand_violations_are_cut_to_fifty_so_that_the_trailers_hold_them():
    async def wrong() -> pb.TrustState:
        raise ValidationErrors([BadValue(field=f"field_{number}", value="x" * 500) for number in range(1000)])

    # Not one: past 8 KiB gRPC refuses the more of them, the longer they are.
    for _ in range(50):
        status = read_status(await failure(wrong))
        assert status.code is grpc.StatusCode.INVALID_ARGUMENT
        assert len(status.violations) == 50
        assert status.violations[0].field == "field_0"


async def test_the_request_id_comes_back_and_is_passed_on_with_the_deadline():
    seen: list[tuple[str, float | None]] = []

    async def second() -> pb.TrustState:
        seen.append((request_id(), time_remaining()))
        return pb.TrustState()

    async with AsyncExitStack() as stack:
        inner = await stack.enter_async_context(serving(second))

        async def first() -> pb.TrustState:
            return await inner()

        outer = await stack.enter_async_context(serving(first))
        call = outer(("x-request-id", "req-42"), timeout=1000)
        await call
        assert dict(await call.trailing_metadata())["x-request-id"] == "req-42"
    ((passed_on, left),) = seen
    assert passed_on == "req-42"
    assert left is not None
    # Without the caller's deadline it would be the default of 30 seconds.
    assert 900 < left < 1100


@pytest.mark.parametrize("offered", ["", "x" * 65, "two words", "semi;colon"])
async def test_a_request_id_that_is_not_well_formed_is_replaced(offered):
    async def echo() -> pb.TrustState:
        return pb.TrustState(next_cursor=request_id())

    async with serving(echo) as call:
        answer = await call(("x-request-id", offered))
    assert answer.next_cursor
    assert answer.next_cursor != offered


async def test_a_second_server_cannot_share_the_port():
    async def nothing() -> pb.TrustState:
        return pb.TrustState()

    first = await build(nothing).start()
    try:
        with pytest.raises(PortTaken, match=str(first.port)):
            await build(nothing, listen=Listen("127.0.0.1", first.port)).start()
    finally:
        await first.stop()


async def test_a_stop_turns_health_off_at_once_and_lets_the_call_in_flight_end():
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> pb.TrustState:
        begun.set()
        await go_on.wait()
        return pb.TrustState(next_cursor="ended well")

    server = await build(slow, drain_seconds=30).start()
    await server.ready()
    async with open_channel(f"127.0.0.1:{server.port}") as channel:
        watch = aiter(health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()))
        assert (await anext(watch)).status == health_pb2.HealthCheckResponse.SERVING
        call = Client(channel)()
        await begun.wait()
        stopping = asyncio.ensure_future(server.stop())
        assert (await anext(watch)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        go_on.set()
        assert (await call).next_cursor == "ended well"
    # The watcher's connection is closed with the channel, and nothing holds up the stop any more.
    await stopping
