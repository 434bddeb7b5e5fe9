"""A server with more calls than it takes: who is turned away, how, and who is not."""

import asyncio
import time
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY
from taskmanager.imports.v1 import import_pb2, import_service_pb2, import_service_pb2_grpc
from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from chassis.config import Listen
from chassis.rpc.errors import details_of
from chassis.rpc.load_shed import Capacity
from chassis.rpc.server import GrpcServer, Registration
from chassis.rpc.trust import TrustState
from chassis.tokens import TokenVerifier
from tests.integration.auth_service.door import until

KEY = Ed25519PrivateKey.generate()
GET, WATCH = import_service_pb2.GetImportRequest(), import_service_pb2.WatchImportRequest()
CAPACITY = Capacity(calls=3, streams=2)
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


def token(**claims: object) -> tuple[tuple[str, str], ...]:
    now = int(time.time())
    everybodys = {"iss": "us", "aud": "us", "sub": str(uuid4()), "jti": "1", "iat": now, "exp": now + 900}
    signed = jwt.encode(everybodys | claims, KEY, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": "k"})
    return (("authorization", f"Bearer {signed}"),)


def person() -> tuple[tuple[str, str], ...]:
    return token(role="user", sid=str(uuid4()), epoch=0)


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
        return details_of(caught.value)


@asynccontextmanager
async def running(capacity=CAPACITY):
    state = TrustState()
    key = trust_service_pb2.VerificationKey(kid="k", public_key=KEY.public_key().public_bytes_raw())
    state.apply(trust_service_pb2.TrustState(keys=[key]))
    servicer = Waits()  # type: ignore[abstract]  # the others are not called
    server = GrpcServer(
        listen=Listen("127.0.0.1", 0),
        registrations=[
            Registration(
                import_service_pb2.DESCRIPTOR.services_by_name["ImportService"],
                import_service_pb2_grpc.add_ImportServiceServicer_to_server,
                servicer,
            ),
            Registration(
                trust_service_pb2.DESCRIPTOR.services_by_name["TrustService"],
                trust_service_pb2_grpc.add_TrustServiceServicer_to_server,
                servicer,
            ),
        ],
        verifier=TokenVerifier(trust=state, issuer="us", audience="us"),
        status={},
        with_reflection=False,
        drain_seconds=0.1,
        capacity=capacity,
    )
    await server.start()
    await server.ready()
    target = f"127.0.0.1:{server.port}"
    async with aio.insecure_channel(target) as channel:
        yield Busy(servicer, channel, target)
    await server.stop()


@pytest.fixture
async def busy():
    async with running() as busy:
        yield busy


async def test_a_call_too_many_is_told_at_once_when_to_come_back_and_the_others_are_answered(busy):
    calls = await busy.fill()
    status = await busy.refused()
    assert (status.code, status.reason, status.retry_after) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "OVERLOADED",
        1.0,
    )
    assert busy.servicer.begun == CAPACITY.calls
    busy.servicer.go_on.set()
    assert [(await call).id for call in calls] == ["answered"] * CAPACITY.calls
    assert (await busy.imports.GetImport(GET, metadata=person(), timeout=SECONDS)).id == "answered"


async def test_a_call_that_was_given_up_makes_room(busy):
    calls = await busy.fill()
    calls[0].cancel()
    busy.servicer.begun -= 1
    call = busy.imports.GetImport(GET, metadata=person(), wait_for_ready=True)
    async with asyncio.timeout(SECONDS):
        while busy.servicer.begun < CAPACITY.calls:
            if call.done():  # the server had not yet heard of the one that was given up
                call = busy.imports.GetImport(GET, metadata=person())
            await asyncio.sleep(0.01)
    busy.servicer.go_on.set()
    assert (await call).id == "answered"


async def test_streams_are_counted_apart_from_calls(busy):
    await busy.fill()
    watches = [busy.imports.WatchImport(WATCH, metadata=person()) for _ in range(CAPACITY.streams)]
    assert [(await watch.read()).id for watch in watches] == ["begun"] * CAPACITY.streams
    with pytest.raises(aio.AioRpcError) as caught:
        await busy.imports.WatchImport(WATCH, metadata=person(), timeout=SECONDS).read()
    assert details_of(caught.value).reason == "OVERLOADED"
    busy.servicer.go_on.set()


async def test_open_streams_take_no_calls_place(busy):
    watches = [busy.imports.WatchImport(WATCH, metadata=person()) for _ in range(CAPACITY.streams)]
    for watch in watches:
        await watch.read()
    busy.servicer.go_on.set()
    assert (await busy.imports.GetImport(GET, metadata=person(), timeout=SECONDS)).id == "answered"


async def test_health_and_what_only_services_call_is_answered_all_the_same(busy):
    await busy.fill()
    answer = await busy.health.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    verifier = token(scope="trust:read")
    request = trust_service_pb2.GetTrustStateRequest()
    assert (await busy.trust.GetTrustState(request, metadata=verifier, timeout=SECONDS)).next_cursor == "answered"


async def test_watches_of_health_which_anybody_may_open_take_nobodys_place_and_are_limited(busy):
    request = health_pb2.HealthCheckRequest()
    watches = [busy.health.Watch(request) for _ in range(CAPACITY.streams)]
    for watch in watches:
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(aio.AioRpcError) as caught:
        await busy.health.Watch(request, timeout=SECONDS).read()
    assert details_of(caught.value).reason == "OVERLOADED"
    assert (await busy.imports.WatchImport(WATCH, metadata=person()).read()).id == "begun"
    assert (await busy.health.Check(request, timeout=SECONDS)).status == health_pb2.HealthCheckResponse.SERVING
    busy.servicer.go_on.set()


async def test_a_refusal_comes_before_the_token_is_looked_at_and_is_counted(busy):
    method = "/taskmanager.imports.v1.ImportService/GetImport"
    before = counted("grpc_server_handled_total", method=method, code="RESOURCE_EXHAUSTED")
    shed = counted("grpc_server_shed_total", kind="call")
    await busy.fill()
    assert (await busy.refused((("authorization", "Bearer nonsense"),))).reason == "OVERLOADED"
    assert counted("grpc_server_handled_total", method=method, code="RESOURCE_EXHAUSTED") == before + 1
    assert counted("grpc_server_shed_total", kind="call") == shed + 1


async def test_behind_it_stands_grpcs_own_limit_at_ten_times_as_much():
    async with running() as busy:
        busy.servicer.trust.clear()
        request, verifier = trust_service_pb2.GetTrustStateRequest(), token(scope="trust:read")
        most = 10 * (CAPACITY.calls + CAPACITY.streams)
        calls = [busy.trust.GetTrustState(request, metadata=verifier) for _ in range(most)]
        await until(lambda: busy.servicer.begun == most)
        status = await busy.refused()
        assert (status.code, status.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED")
        busy.servicer.trust.set()
        await asyncio.gather(*calls)
