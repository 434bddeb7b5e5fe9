"""The JWT interceptor on unary and streaming calls of a real server."""

import asyncio
import time
from uuid import uuid4

import grpc
import pytest
from grpc import aio
from taskmanager.imports.v1 import import_pb2, import_service_pb2_grpc
from taskmanager.tasks.v1 import task_service_pb2
from taskmanager.trust.v1 import trust_service_pb2

from chassis.kernel.personal_tokens import build_personal_token
from chassis.rpc.request_context import current_caller
from tests.support.grpc_calls import bearer, refused
from tests.support.grpc_server import (
    GET_IMPORT,
    IMPORT_SERVICE,
    WATCH_IMPORT,
    build_server,
    import_service,
    loaded_trust_state,
    personal_token_metadata,
    running_server,
    service_metadata,
    sign_token,
    trust_state_message,
)


class CallerServicer(import_service_pb2_grpc.ImportServiceServicer):
    """Servicer that responds with the caller's id; a watch responds once and then waits."""

    def __init__(self) -> None:
        self.calls = 0
        self.watch_ended = asyncio.Event()

    async def GetImport(self, request, context):  # noqa: ARG002, N802 - the signature of gRPC
        self.calls += 1
        return import_pb2.Import(id=str(current_caller().id))

    async def WatchImport(self, request, context):  # noqa: ARG002, N802
        self.calls += 1
        try:
            yield import_pb2.Import(id=str(current_caller().id))
            await asyncio.Event().wait()
        finally:
            self.watch_ended.set()


class JwtSetup:
    """Servicer, trust state and a user who is logged in."""

    def __init__(self) -> None:
        self.state = loaded_trust_state()
        self.servicer = CallerServicer()  # type: ignore[abstract]  # the others are not called
        self.subject, self.session = str(uuid4()), str(uuid4())

    def metadata(self):
        claims = {"sub": self.subject, "role": "user", "sid": self.session, "epoch": 0}
        # Lower case: the scheme is case-insensitive (RFC 9110 section 11.1).
        return (("authorization", f"bearer {sign_token(**claims)}"),)

    def server(self, descriptor=IMPORT_SERVICE):
        return build_server(import_service(self.servicer, descriptor), state=self.state)


@pytest.fixture
def jwt_setup():
    return JwtSetup()


@pytest.fixture
async def stub(jwt_setup):
    async with running_server(jwt_setup.server()) as target, aio.insecure_channel(target) as channel:
        yield import_service_pb2_grpc.ImportServiceStub(channel)


async def refused_call(call):
    """Return the status of a refused call, or of a stream at its next message."""
    return await refused(call.read() if hasattr(call, "read") else call)


async def test_unary_and_stream_handlers_see_the_caller(jwt_setup, stub):
    assert (await stub.GetImport(GET_IMPORT, metadata=jwt_setup.metadata())).id == jwt_setup.subject
    watch = stub.WatchImport(WATCH_IMPORT, metadata=jwt_setup.metadata())
    assert (await watch.read()).id == jwt_setup.subject
    watch.cancel()
    await asyncio.wait_for(jwt_setup.servicer.watch_ended.wait(), 10)


async def test_refused_call_never_reaches_the_handler(jwt_setup, stub):
    for call in (stub.GetImport(GET_IMPORT), stub.WatchImport(WATCH_IMPORT)):
        assert (await refused_call(call)).code == grpc.StatusCode.UNAUTHENTICATED
    other = service_metadata("tasks:read")
    for call in (stub.GetImport(GET_IMPORT, metadata=other), stub.WatchImport(WATCH_IMPORT, metadata=other)):
        assert (await refused_call(call)).code == grpc.StatusCode.PERMISSION_DENIED
    assert jwt_setup.servicer.calls == 0


async def test_repeated_authorization_is_refused(jwt_setup, stub):
    """Two tokens could belong to two callers, and a proxy may have checked the other one."""
    metadata = jwt_setup.metadata()
    for other in (metadata, bearer("x"), service_metadata("imports:write")):
        for pair in ((*metadata, *other), (*other, *metadata)):
            for call in (stub.GetImport(GET_IMPORT, metadata=pair), stub.WatchImport(WATCH_IMPORT, metadata=pair)):
                status = await refused_call(call)
                assert status.code == grpc.StatusCode.UNAUTHENTICATED
                assert status.message == "The header authorization is repeated. Send it once."
    assert jwt_setup.servicer.calls == 0


async def test_personal_token_needs_one_of_the_scopes(jwt_setup, stub):
    """GetImport has token scopes. A token without one of them learns which one it needs."""
    good = personal_token_metadata("tasks:read", "imports:write", sub=jwt_setup.subject)
    assert (await stub.GetImport(GET_IMPORT, metadata=good)).id == jwt_setup.subject
    for lacking in (personal_token_metadata("tasks:read"), personal_token_metadata()):
        for call in (stub.GetImport(GET_IMPORT, metadata=lacking), stub.WatchImport(WATCH_IMPORT, metadata=lacking)):
            status = await refused_call(call)
            assert (status.code, status.reason) == (grpc.StatusCode.PERMISSION_DENIED, "TOKEN_SCOPE_MISSING")
            assert "imports:write" in status.message
            assert dict(status.metadata) == {"scopes": "imports:write"}
    assert jwt_setup.servicer.calls == 1


async def test_personal_token_does_not_raise_the_role(jwt_setup, stub):
    foreign = personal_token_metadata("imports:write", role="guest")
    assert (await refused_call(stub.GetImport(GET_IMPORT, metadata=foreign))).code == grpc.StatusCode.UNAUTHENTICATED


async def test_unexchanged_personal_token_is_explained(stub):
    """A client of gRPC that sends the token itself learns that it must exchange it."""
    metadata = bearer(build_personal_token(bytes(32)))
    status = await refused_call(stub.GetImport(GET_IMPORT, metadata=metadata))
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_NOT_EXCHANGED")
    assert "ExchangeToken" in status.message


async def test_open_stream_ends_with_its_session(jwt_setup, stub):
    watch = stub.WatchImport(WATCH_IMPORT, metadata=jwt_setup.metadata())
    await watch.read()
    ended = trust_service_pb2.Revocation(session_id=jwt_setup.session)
    ended.expire_time.FromSeconds(int(time.time()) + 900)
    jwt_setup.state.apply(trust_state_message(ended))
    async with asyncio.timeout(30):
        status = await refused_call(watch)
        await jwt_setup.servicer.watch_ended.wait()
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")


async def test_service_without_policy_is_refused(jwt_setup):
    unknown = jwt_setup.server(task_service_pb2.DESCRIPTOR.services_by_name["TaskService"])
    async with running_server(unknown) as target, aio.insecure_channel(target) as channel:
        stub = import_service_pb2_grpc.ImportServiceStub(channel)
        call = stub.GetImport(GET_IMPORT, metadata=jwt_setup.metadata())
        assert (await refused_call(call)).code == grpc.StatusCode.PERMISSION_DENIED
