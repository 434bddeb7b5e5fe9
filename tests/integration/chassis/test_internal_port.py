"""A process with two ports: one for everybody, and one for the callers inside the system."""

from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from taskmanager.imports.v1 import import_service_pb2_grpc
from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from chassis.probes.process_status import ProcessStatus
from chassis.rpc.servers import GrpcServers
from chassis.settings import CannotListen, Listen
from tests.integration.chassis.busy_server import CAPACITY, SECONDS, BlockingServicer, separate_connection
from tests.support.grpc_calls import refused, until_refused
from tests.support.grpc_server import (
    GET_IMPORT,
    build_server,
    import_service,
    service_metadata,
    trust_service,
    user_metadata,
)
from tests.support.raw_http2 import empty_request, open_call, raw_connection

SERVING = health_pb2.HealthCheckResponse.SERVING
CHECK = "/grpc.health.v1.Health/Check"


def build_servers(**internal_options) -> GrpcServers:
    servicer = BlockingServicer()  # type: ignore[abstract]  # the others are not called
    servicer.proceed.set()
    registrations = import_service(servicer), trust_service(servicer)
    options: dict[str, Any] = {"capacity": CAPACITY, "with_reflection": True}
    return GrpcServers(
        status=ProcessStatus("test"),
        public=build_server(*registrations, with_internal_rpcs=False, **options),
        internal=build_server(*registrations, **options, **internal_options),
    )


@pytest.fixture
async def servers():
    servers = await build_servers().start()
    await servers.set_ready()
    yield servers
    await servers.stop()


def connection_to(port: int) -> aio.Channel:
    return separate_connection(f"127.0.0.1:{port}")


async def get_trust_state(channel: aio.Channel) -> str:
    stub = trust_service_pb2_grpc.TrustServiceStub(channel)
    request, metadata = trust_service_pb2.GetTrustStateRequest(), service_metadata("trust:read")
    return (await stub.GetTrustState(request, metadata=metadata, timeout=SECONDS)).next_cursor


async def get_import(channel: aio.Channel) -> str:
    stub = import_service_pb2_grpc.ImportServiceStub(channel)
    return (await stub.GetImport(GET_IMPORT, metadata=user_metadata(), timeout=SECONDS)).id


async def health_of(channel: aio.Channel, service: str = "") -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    return (await health_pb2_grpc.HealthStub(channel).Check(request, timeout=SECONDS)).status


async def listed_services(channel: aio.Channel) -> set[str]:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=SECONDS)
    response = await call.read()
    return {service.name.rpartition(".")[2] for service in response.list_services_response.service}


async def test_public_port_has_no_internal_rpcs(servers):
    """The public port neither serves nor lists a service with internal rpcs only; the internal port serves all."""
    async with connection_to(servers.port) as public, connection_to(servers.internal_port) as internal:
        assert await get_import(public) == await get_import(internal) == "response"
        assert await get_trust_state(internal) == "response"
        assert (await refused(get_trust_state(public))).code is grpc.StatusCode.UNIMPLEMENTED
        name = trust_service_pb2.DESCRIPTOR.services_by_name["TrustService"].full_name
        assert await health_of(internal, name) == SERVING
        assert (await refused(health_of(public, name))).code is grpc.StatusCode.NOT_FOUND
        foreign = {"Health", "ServerReflection"}
        assert await listed_services(public) == {"ImportService"} | foreign
        assert await listed_services(internal) == {"ImportService", "TrustService"} | foreign


async def test_full_public_port_leaves_the_internal_one_alone(servers):
    """Clients that read no response fill the public port; the internal port answers health, users and services."""
    async with AsyncExitStack() as stack:
        for _ in range(CAPACITY.max_concurrent_rpcs // CAPACITY.max_calls_per_connection + 1):
            target = f"127.0.0.1:{servers.port}"
            connection = await stack.enter_async_context(raw_connection(target, window_bytes=0))
            for number in range(CAPACITY.max_calls_per_connection):
                stream = 2 * number + 1
                connection.write(open_call(stream, CHECK) + empty_request(stream))
            await connection.drain()
        public = await stack.enter_async_context(connection_to(servers.port))
        status = await until_refused(partial(health_of, public))
        assert status.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        internal = await stack.enter_async_context(connection_to(servers.internal_port))
        assert await health_of(internal) == SERVING
        assert await get_import(internal) == "response"
        assert await get_trust_state(internal) == "response"


async def test_taken_internal_port_stops_the_public_server(servers):
    second = build_servers(listen=Listen("127.0.0.1", servers.internal_port))
    with pytest.raises(CannotListen, match=str(servers.internal_port)):
        await second.start()
    async with connection_to(second.port) as public:
        assert (await refused(health_of(public))).code is grpc.StatusCode.UNAVAILABLE
