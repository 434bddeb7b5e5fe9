"""Servers without a trust state: refused calls, and channels that use only the replicas that are ready."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from taskmanager.trust.v1 import trust_service_pb2 as pb
from taskmanager.trust.v1 import trust_service_pb2_grpc

from chassis.rpc.client import open_channel
from chassis.rpc.server import GrpcServer
from chassis.rpc.trust import TrustState
from tests.support.grpc_calls import bearer, refused
from tests.support.grpc_server import build_server, service_metadata, trust_service, trust_state_message
from tests.support.waiting import until

SECONDS = 10
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
CALLS = 20


class CountingServicer(trust_service_pb2_grpc.TrustServiceServicer):
    """Servicer that counts its calls. The next call after `hold` was set waits for it."""

    def __init__(self) -> None:
        self.calls = 0
        self.hold: asyncio.Event | None = None

    async def GetTrustState(self, request, context):  # noqa: ARG002, N802 - the signature of gRPC
        self.calls += 1
        held, self.hold = self.hold, None
        if held:
            await held.wait()
        return pb.TrustState(next_cursor="served")


class Replica:
    """Started server that has no trust state until `load`."""

    def __init__(self) -> None:
        self.servicer = CountingServicer()
        self.state = TrustState()
        self.server: GrpcServer = build_server(
            trust_service(self.servicer), state=self.state, with_reflection=True, drain_seconds=600
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    async def load(self) -> None:
        self.state.apply(trust_state_message())
        await self.server.set_ready()


@asynccontextmanager
async def running_replica():
    replica = Replica()
    await replica.server.start()
    try:
        yield replica
    finally:
        await replica.server.stop()


@pytest.fixture
async def starting():
    async with running_replica() as replica:
        yield replica


async def get_trust_state(channel: aio.Channel, **options):
    stub = trust_service_pb2_grpc.TrustServiceStub(channel)
    metadata = service_metadata("trust:read")
    return await stub.GetTrustState(pb.GetTrustStateRequest(), metadata=metadata, timeout=SECONDS, **options)


@pytest.mark.parametrize("metadata", [service_metadata("trust:read"), bearer("nonsense"), ()])
async def test_no_verdict_on_a_token_without_keys(starting, metadata):
    """Without a trust state every call is UNAVAILABLE with a retry delay, whatever its token is."""
    async with aio.insecure_channel(starting.address) as channel:
        stub = trust_service_pb2_grpc.TrustServiceStub(channel)
        status = await refused(stub.GetTrustState(pb.GetTrustStateRequest(), metadata=metadata, timeout=SECONDS))
        assert (status.code, status.reason, status.retry_after_seconds) == (
            grpc.StatusCode.UNAVAILABLE,
            "NOT_READY",
            1.0,
        )
        await starting.load()
        assert (await get_trust_state(channel)).next_cursor == "served"
    assert starting.servicer.calls == 1


async def test_only_health_is_answered_without_keys(starting):
    async with aio.insecure_channel(starting.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)).status == NOT_SERVING
        watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        assert (await watch.read()).status == NOT_SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        names = reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        assert (await refused(names.read())).reason == "NOT_READY"
        await starting.load()
        assert (await watch.read()).status == SERVING


async def test_health_of_an_unknown_service(starting):
    async with aio.insecure_channel(starting.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service="example.v1.Unknown")
        assert (await refused(health.Check(request, timeout=SECONDS))).code is grpc.StatusCode.NOT_FOUND
        watch = health.Watch(request, timeout=SECONDS)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


async def test_channel_uses_only_replicas_that_are_ready():
    """Calls go to the replica that is ready; to the other one too as soon as it has become ready."""
    async with AsyncExitStack() as stack:
        ready, starting = [await stack.enter_async_context(running_replica()) for _ in range(2)]
        await ready.load()
        channel = await stack.enter_async_context(open_channel(f"ipv4:{ready.address},{starting.address}"))
        for _ in range(CALLS):
            assert (await get_trust_state(channel, wait_for_ready=True)).next_cursor == "served"
        assert (ready.servicer.calls, starting.servicer.calls) == (CALLS, 0)
        await starting.load()
        async with asyncio.timeout(SECONDS):
            while not starting.servicer.calls:
                await get_trust_state(channel)


async def test_channel_leaves_a_replica_that_stops():
    """A stop with a call in flight: new calls go to the other replica, and the call in flight ends well."""
    async with AsyncExitStack() as stack:
        stopping, other = [await stack.enter_async_context(running_replica()) for _ in range(2)]
        for replica in (stopping, other):
            await replica.load()
        channel = await stack.enter_async_context(open_channel(f"ipv4:{stopping.address},{other.address}"))
        stopping.servicer.hold = proceed = asyncio.Event()
        while stopping.servicer.hold:
            in_flight = asyncio.create_task(get_trust_state(channel, wait_for_ready=True))
            await until(lambda: in_flight.done() or not stopping.servicer.hold)  # noqa: B023 - awaited here
        stop = asyncio.create_task(stopping.server.stop())
        served = 0
        async with asyncio.timeout(SECONDS):
            while served < CALLS:
                try:
                    await get_trust_state(channel)
                    served += 1
                except aio.AioRpcError:  # the news had not yet reached the channel
                    served = 0
        proceed.set()
        assert (await in_flight).next_cursor == "served"
        # The channel still watches the health of the stopped server, which must not delay the stop.
        async with asyncio.timeout(SECONDS):
            await stop
