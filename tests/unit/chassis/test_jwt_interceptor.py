"""The JWT interceptor around a real server's unary and streaming calls."""

import asyncio
import time
from uuid import uuid4

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc import aio
from taskmanager.imports.v1 import import_pb2, import_service_pb2, import_service_pb2_grpc
from taskmanager.tasks.v1 import task_service_pb2
from taskmanager.trust.v1 import trust_service_pb2

from chassis.config import Listen
from chassis.rpc.errors import details_of
from chassis.rpc.request_context import current_caller
from chassis.rpc.server import GrpcServer, Registration
from chassis.rpc.trust import TrustState
from chassis.tokens import TokenVerifier

DESCRIPTOR = import_service_pb2.DESCRIPTOR.services_by_name["ImportService"]


class Imports(import_service_pb2_grpc.ImportServiceServicer):
    """Answers who calls; a watch answers that once and then waits for ever."""

    def __init__(self) -> None:
        self.began = 0
        self.left = asyncio.Event()

    async def GetImport(self, request, context):  # noqa: ARG002, N802 - gRPC's names
        self.began += 1
        return import_pb2.Import(id=str(current_caller().id))

    async def WatchImport(self, request, context):  # noqa: ARG002, N802
        self.began += 1
        try:
            yield import_pb2.Import(id=str(current_caller().id))
            await asyncio.Event().wait()
        finally:
            self.left.set()


class Bench:
    """A server with one servicer, and a key to sign tokens for it."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.state = TrustState()
        self.servicer = Imports()  # type: ignore[abstract]  # the others are not called
        self.subject, self.session = str(uuid4()), str(uuid4())
        self.tell()

    def tell(self, *revocations: trust_service_pb2.Revocation) -> None:
        key = trust_service_pb2.VerificationKey(kid="k", public_key=self.private.public_key().public_bytes_raw())
        self.state.apply(trust_service_pb2.TrustState(keys=[key], revocations=revocations))

    def metadata(self, **changes):
        now = int(time.time())
        claims = {"iss": "us", "aud": "us", "sub": self.subject, "jti": "1", "iat": now, "exp": now + 900} | (
            changes or {"role": "user", "sid": self.session, "epoch": 0}
        )
        token = jwt.encode(claims, self.private, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": "k"})
        return (("authorization", f"bearer {token}"),)

    def server(self, descriptor):
        return GrpcServer(
            listen=Listen("127.0.0.1", 0),
            registrations=[
                Registration(descriptor, import_service_pb2_grpc.add_ImportServiceServicer_to_server, self.servicer)
            ],
            verifier=TokenVerifier(trust=self.state, issuer="us", audience="us"),
            status={},
            with_reflection=False,
            drain_seconds=0.1,
        )


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
async def stub(bench):
    server = await bench.server(DESCRIPTOR).start()
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield import_service_pb2_grpc.ImportServiceStub(channel)
    await server.stop()


async def refused(call):
    """The status that a call is refused with, a stream at its next message."""
    with pytest.raises(aio.AioRpcError) as refusal:
        await (call.read() if hasattr(call, "read") else call)
    return details_of(refusal.value)


async def test_handlers_learn_who_calls_in_both_kinds_of_calls(bench, stub):
    request = import_service_pb2.GetImportRequest()
    assert (await stub.GetImport(request, metadata=bench.metadata())).id == bench.subject
    watch = stub.WatchImport(import_service_pb2.WatchImportRequest(), metadata=bench.metadata())
    assert (await watch.read()).id == bench.subject
    watch.cancel()
    await asyncio.wait_for(bench.servicer.left.wait(), 10)


async def test_no_handler_begins_before_its_caller_is_admitted(bench, stub):
    get, watch = import_service_pb2.GetImportRequest(), import_service_pb2.WatchImportRequest()
    for call in (stub.GetImport(get), stub.WatchImport(watch)):
        assert (await refused(call)).code == grpc.StatusCode.UNAUTHENTICATED
    service = bench.metadata(scope="tasks:read")
    for call in (stub.GetImport(get, metadata=service), stub.WatchImport(watch, metadata=service)):
        assert (await refused(call)).code == grpc.StatusCode.PERMISSION_DENIED
    assert bench.servicer.began == 0


async def test_an_open_stream_ends_when_its_session_does(bench, stub):
    watch = stub.WatchImport(import_service_pb2.WatchImportRequest(), metadata=bench.metadata())
    await watch.read()
    ended = trust_service_pb2.Revocation(session_id=bench.session)
    ended.expire_time.FromSeconds(int(time.time()) + 900)
    bench.tell(ended)
    async with asyncio.timeout(30):
        status = await refused(watch)
        await bench.servicer.left.wait()
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")


async def test_a_service_that_the_policy_does_not_know_is_refused_to_everybody(bench):
    server = await bench.server(task_service_pb2.DESCRIPTOR.services_by_name["TaskService"]).start()
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = import_service_pb2_grpc.ImportServiceStub(channel)
        call = stub.GetImport(import_service_pb2.GetImportRequest(), metadata=bench.metadata())
        assert (await refused(call)).code == grpc.StatusCode.PERMISSION_DENIED
    await server.stop()
