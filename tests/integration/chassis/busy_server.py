"""A server whose calls wait for the test, so that a test can fill it."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from grpc import aio
from grpc_health.v1 import health_pb2_grpc
from taskmanager.imports.v1 import import_pb2, import_service_pb2_grpc
from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from chassis.limits.load_shed import Capacity
from chassis.rpc.errors import RichStatus
from tests.support.grpc_calls import refused
from tests.support.grpc_server import (
    GET_IMPORT,
    build_server,
    import_service,
    running_server,
    trust_service,
    user_metadata,
)
from tests.support.waiting import until

CAPACITY = Capacity(max_concurrent_calls=3, max_concurrent_streams=2)
SECONDS = 10


class BlockingServicer(import_service_pb2_grpc.ImportServiceServicer, trust_service_pb2_grpc.TrustServiceServicer):
    """Servicer whose methods wait for an event of the test."""

    def __init__(self) -> None:
        self.started = 0
        self.proceed = asyncio.Event()
        self.trust = asyncio.Event()
        self.trust.set()

    async def GetImport(self, request, context):  # noqa: ARG002, N802 - the signature of gRPC
        self.started += 1
        await self.proceed.wait()
        return import_pb2.Import(id="response")

    async def WatchImport(self, request, context):  # noqa: ARG002, N802
        self.started += 1
        yield import_pb2.Import(id="started")
        await self.proceed.wait()

    async def UploadImport(self, request_iterator, context):  # noqa: ARG002, N802
        async for _ in request_iterator:
            self.started += 1
        return import_pb2.Import(id="uploaded")

    async def GetTrustState(self, request, context):  # noqa: ARG002, N802
        self.started += 1
        await self.trust.wait()
        return trust_service_pb2.TrustState(next_cursor="response")


def separate_connection(target: str) -> aio.Channel:
    """Return a channel with a connection of its own. Others to the same target share one."""
    return aio.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)])


class BusyServer:
    """Running server and stubs on one channel to it."""

    def __init__(self, servicer: BlockingServicer, channel: aio.Channel, target: str) -> None:
        self.servicer = servicer
        self.target = target
        self.imports = import_service_pb2_grpc.ImportServiceStub(channel)
        self.trust = trust_service_pb2_grpc.TrustServiceStub(channel)
        self.health = health_pb2_grpc.HealthStub(channel)

    async def fill(self) -> list[aio.UnaryUnaryCall[Any, Any]]:
        """Start as many calls as the server accepts; return when all have reached the servicer."""
        calls = [
            self.imports.GetImport(GET_IMPORT, metadata=user_metadata()) for _ in range(CAPACITY.max_concurrent_calls)
        ]
        await until(lambda: self.servicer.started == CAPACITY.max_concurrent_calls)
        return calls

    async def refused_call(self, metadata=None) -> RichStatus:
        """Return the status of one more call, which must be refused."""
        return await refused(self.imports.GetImport(GET_IMPORT, metadata=metadata or user_metadata(), timeout=SECONDS))


@asynccontextmanager
async def running_busy_server(capacity=CAPACITY, **options):
    servicer = BlockingServicer()  # type: ignore[abstract]  # the others are not called
    server = build_server(import_service(servicer), trust_service(servicer), capacity=capacity, **options)
    async with running_server(server) as target, aio.insecure_channel(target) as channel:
        yield BusyServer(servicer, channel, target)
