"""The interceptor chain on a real server: errors, request ids, deadlines and the stop, as a caller sees them."""

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

from chassis.kernel.errors import DomainError, Invalid, ValidationErrors
from chassis.rpc.client import open_channel
from chassis.rpc.errors import read_status
from chassis.rpc.request_context import request_id, time_remaining
from chassis.rpc.server import GrpcServer, Registration
from chassis.settings import CannotListen, Listen
from tests.support.grpc_server import build_server, running_server, service_metadata, trust_service

Handler = Callable[[], Awaitable[pb.TrustState]]


class Missing(DomainError):
    """There is no {thing}."""


class BadValue(Invalid):
    """The value {value} is bad."""


class Servicer(trust_service_pb2_grpc.TrustServiceServicer):
    """Servicer that runs the handler of the test."""

    def __init__(self, handler: Handler) -> None:
        self._behaviour = handler

    async def GetTrustState(self, request, context) -> pb.TrustState:  # noqa: ARG002, N802 - the signature of gRPC
        return await self._behaviour()


def build(handler: Handler, *more: Registration, **settings: Any) -> GrpcServer:
    return build_server(
        trust_service(Servicer(handler)), *more, status={Missing: grpc.StatusCode.NOT_FOUND}, **settings
    )


class Client:
    """Client that calls the method with a valid token."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = trust_service_pb2_grpc.TrustServiceStub(channel)

    def __call__(self, *metadata: tuple[str, str], timeout: float | None = None):
        request = pb.GetTrustStateRequest()
        return self._stub.GetTrustState(request, metadata=(*service_metadata("trust:read"), *metadata), timeout=timeout)


@asynccontextmanager
async def connected(handler: Handler):
    async with running_server(build(handler)) as target, open_channel(target) as channel:
        yield Client(channel)


async def failed_call(handler: Handler):
    async with connected(handler) as call:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call()
        return caught.value


async def never() -> pb.TrustState:
    raise AssertionError


async def test_call_without_token_does_not_reach_the_method():
    async with running_server(build(never)) as target, open_channel(target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await trust_service_pb2_grpc.TrustServiceStub(channel).GetTrustState(pb.GetTrustStateRequest())
    assert (caught.value.code(), read_status(caught.value).reason) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "UNAUTHENTICATED",
    )


async def test_server_waits_for_the_next_call_in_one_task():
    """The server does not wait for each method in a task of its own: every call would pay for all methods."""
    before = asyncio.all_tasks()
    async with running_server(build(never)):
        # pytest has other tasks, whose coroutines can be without a name.
        names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks() - before]
    assert [name for name in names if name.startswith("AioServer._request")] == ["AioServer._request_call"]


async def test_method_without_access_option_is_refused():
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
    async with running_server(build(never, forgotten)) as target, open_channel(target) as channel:
        call: Any = channel.unary_unary("/example.v1.NobodyService/Call", empty_pb2.Empty.SerializeToString)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(empty_pb2.Empty(), metadata=service_metadata("trust:read"))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_unknown_exception_text_never_reaches_the_caller():
    async def broken() -> pb.TrustState:
        raise RuntimeError("postgresql://app:s3cret@db/tasks")

    error = await failed_call(broken)
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert "s3cret" not in str(error)


async def test_domain_error_has_status_of_its_nearest_class():
    """A domain error has the status of its nearest listed class, and its docstring as the message."""

    class MissingTask(Missing):
        """There is no task called {thing}."""

    async def missing() -> pb.TrustState:
        raise MissingTask(thing="milk")

    error = await failed_call(missing)
    status = read_status(error)
    assert (status.code, status.reason, status.message) == (
        grpc.StatusCode.NOT_FOUND,
        "MISSING_TASK",
        "There is no task called milk.",
    )


async def test_long_message_is_complete_in_its_violation():
    async def wrong() -> pb.TrustState:
        raise BadValue(field="cursor", value="x" * 400)

    status = read_status(await failed_call(wrong))
    assert status.violations[0].message == status.message == f"The value {'x' * 400} is bad."


async def test_violations_are_cut_to_fifty():
    """A thousand violations are cut to the first fifty, so that they fit into the trailers."""

    async def wrong() -> pb.TrustState:
        raise ValidationErrors([BadValue(field="cursor", value=f"{number} {'x' * 500}") for number in range(1000)])

    # One call is not enough: above 8 KiB of trailers gRPC fails randomly, more often the longer they are.
    for _ in range(50):
        status = read_status(await failed_call(wrong))
        assert status.code is grpc.StatusCode.INVALID_ARGUMENT
        assert [violation.field for violation in status.violations] == ["cursor"] * 50
        values = [violation.message.removeprefix("The value ").split()[0] for violation in status.violations]
        assert values == [str(number) for number in range(50)]


async def test_request_id_and_deadline_are_propagated():
    """The request id is returned to the caller, and is propagated with the deadline."""
    received: list[tuple[str, float | None]] = []

    async def second() -> pb.TrustState:
        received.append((request_id(), time_remaining()))
        return pb.TrustState()

    async with AsyncExitStack() as stack:
        inner = await stack.enter_async_context(connected(second))

        async def first() -> pb.TrustState:
            return await inner()

        outer = await stack.enter_async_context(connected(first))
        call = outer(("x-request-id", "req-42"), timeout=1000)
        await call
        assert dict(await call.trailing_metadata())["x-request-id"] == "req-42"
    ((propagated_id, remaining),) = received
    assert propagated_id == "req-42"
    assert remaining is not None
    # Without the caller's deadline the default of 30 seconds would apply.
    assert 900 < remaining < 1100


@pytest.mark.parametrize("offered", ["", "x" * 65, "two words", "semi;colon"])
async def test_malformed_request_id_is_replaced(offered):
    async def echo() -> pb.TrustState:
        return pb.TrustState(next_cursor=request_id())

    async with connected(echo) as call:
        response = await call(("x-request-id", offered))
    assert response.next_cursor
    assert response.next_cursor != offered


async def test_second_server_cannot_share_the_port():
    async def nothing() -> pb.TrustState:
        return pb.TrustState()

    first = await build(nothing).start()
    try:
        with pytest.raises(CannotListen, match=str(first.port)):
            await build(nothing, listen=Listen("127.0.0.1", first.port)).start()
    finally:
        await first.stop()


async def test_stop_reports_not_serving_and_drains_calls():
    """A stop sets health to NOT_SERVING at once and lets the call in flight end."""
    started, proceed = asyncio.Event(), asyncio.Event()

    async def slow() -> pb.TrustState:
        started.set()
        await proceed.wait()
        return pb.TrustState(next_cursor="ended well")

    server = await build(slow, drain_seconds=30).start()
    await server.set_ready()
    async with open_channel(f"127.0.0.1:{server.port}") as channel:
        watch = aiter(health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()))
        assert (await anext(watch)).status == health_pb2.HealthCheckResponse.SERVING
        call = Client(channel)()
        await started.wait()
        stopping = asyncio.ensure_future(server.stop())
        assert (await anext(watch)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        proceed.set()
        assert (await call).next_cursor == "ended well"
    # Closing the channel ends the watch, so that nothing delays the stop any more.
    await stopping
