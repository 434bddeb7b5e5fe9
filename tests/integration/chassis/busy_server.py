"""A server that answers nobody before it may, so that a test can fill it with calls."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest
from grpc import aio
from grpc_health.v1 import health_pb2_grpc
from prometheus_client import REGISTRY
from taskmanager.imports.v1 import import_pb2, import_service_pb2_grpc
from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from chassis.rpc.errors import read_status
from chassis.limits.load_shed import Capacity
from tests.integration.auth_service.door import until
from tests.small_server import GET, imports, listening, person, small_server, trust

CAPACITY = Capacity(max_concurrent_calls=3, streams=2)
SECONDS = 10


class Waits(import_service_pb2_grpc.ImportServiceServicer, trust_service_pb2_grpc.TrustServiceServicer):
    """Answers nobody before it may."""

    def __init__(self) -> None:
        self.begun = 0
        self.go_on = asyncio.Event()
        self.trust = asyncio.Event()
        self.trust.set()

    async def GetImport(self, request, context):  # noqa: ARG002, N802 - gRPC's names
        self.begun += 1
        await self.go_on.wait()
        return import_pb2.Import(id="answered")

    async def WatchImport(self, request, context):  # noqa: ARG002, N802
        self.begun += 1
        yield import_pb2.Import(id="begun")
        await self.go_on.wait()

    async def UploadImport(self, request_iterator, context):  # noqa: ARG002, N802
        async for _ in request_iterator:
            self.begun += 1
        return import_pb2.Import(id="uploaded")

    async def GetTrustState(self, request, context):  # noqa: ARG002, N802
        self.begun += 1
        await self.trust.wait()
        return trust_service_pb2.TrustState(next_cursor="answered")


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Busy:
    """A server with a channel to it."""

    def __init__(self, servicer: Waits, channel: aio.Channel, target: str) -> None:
        self.servicer = servicer
        self.target = target
        self.imports = import_service_pb2_grpc.ImportServiceStub(channel)
        self.trust = trust_service_pb2_grpc.TrustServiceStub(channel)
        self.health = health_pb2_grpc.HealthStub(channel)

    async def fill(self) -> list[aio.UnaryUnaryCall[Any, Any]]:
        """As many calls as there is room for, all of them begun."""
        calls = [self.imports.GetImport(GET, metadata=person()) for _ in range(CAPACITY.calls)]
        await until(lambda: self.servicer.begun == CAPACITY.calls)
        return calls

    async def refused(self, metadata=None):
        with pytest.raises(aio.AioRpcError) as caught:
            await self.imports.GetImport(GET, metadata=metadata or person(), timeout=SECONDS)
        return read_status(caught.value)


@asynccontextmanager
async def running(capacity=CAPACITY):
    servicer = Waits()  # type: ignore[abstract]  # the others are not called
    server = small_server(imports(servicer), trust(servicer), capacity=capacity)
    async with listening(server) as target, aio.insecure_channel(target) as channel:
        yield Busy(servicer, channel, target)
