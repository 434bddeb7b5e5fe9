"""The JWT interceptor around a real server's unary and streaming calls."""

import asyncio
import time
from uuid import uuid4

import grpc
import pytest
from grpc import aio
from taskmanager.imports.v1 import import_pb2, import_service_pb2_grpc
from taskmanager.tasks.v1 import task_service_pb2
from taskmanager.trust.v1 import trust_service_pb2

from chassis.rpc.errors import details_of
from chassis.rpc.request_context import current_caller
from tests.support.grpc_server import (
    GET_IMPORT,
    IMPORT_SERVICE,
    WATCH_IMPORT,
    build_server,
    import_service,
    loaded_trust_state,
    running_server,
    service_metadata,
    sign_token,
    trust_state_message,
)


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
    """What a server with one servicer is made of, and somebody who is logged in."""

    def __init__(self) -> None:
        self.state = loaded_trust_state()
        self.servicer = Imports()  # type: ignore[abstract]  # the others are not called
        self.subject, self.session = str(uuid4()), str(uuid4())

    def metadata(self):
        claims = {"sub": self.subject, "role": "user", "sid": self.session, "epoch": 0}
        # In small letters: a scheme is what it is in any case (RFC 9110 section 11.1).
        return (("authorization", f"bearer {sign_token(**claims)}"),)

    def server(self, descriptor=IMPORT_SERVICE):
        return build_server(import_service(self.servicer, descriptor), state=self.state)


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
async def stub(bench):
    async with running_server(bench.server()) as target, aio.insecure_channel(target) as channel:
        yield import_service_pb2_grpc.ImportServiceStub(channel)


async def refused(call):
    """The status that a call is refused with, a stream at its next message."""
    with pytest.raises(aio.AioRpcError) as refusal:
        await (call.read() if hasattr(call, "read") else call)
    return details_of(refusal.value)


async def test_unary_and_stream_handlers_see_the_caller(bench, stub):
    assert (await stub.GetImport(GET_IMPORT, metadata=bench.metadata())).id == bench.subject
    watch = stub.WatchImport(WATCH_IMPORT, metadata=bench.metadata())
    assert (await watch.read()).id == bench.subject
    watch.cancel()
    await asyncio.wait_for(bench.servicer.left.wait(), 10)


async def test_refused_call_never_reaches_the_handler(bench, stub):
    for call in (stub.GetImport(GET_IMPORT), stub.WatchImport(WATCH_IMPORT)):
        assert (await refused(call)).code == grpc.StatusCode.UNAUTHENTICATED
    other = service_metadata("tasks:read")
    for call in (stub.GetImport(GET_IMPORT, metadata=other), stub.WatchImport(WATCH_IMPORT, metadata=other)):
        assert (await refused(call)).code == grpc.StatusCode.PERMISSION_DENIED
    assert bench.servicer.began == 0


async def test_open_stream_ends_with_its_session(bench, stub):
    watch = stub.WatchImport(WATCH_IMPORT, metadata=bench.metadata())
    await watch.read()
    ended = trust_service_pb2.Revocation(session_id=bench.session)
    ended.expire_time.FromSeconds(int(time.time()) + 900)
    bench.state.apply(trust_state_message(ended))
    async with asyncio.timeout(30):
        status = await refused(watch)
        await bench.servicer.left.wait()
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")


async def test_service_without_policy_is_refused(bench):
    unknown = bench.server(task_service_pb2.DESCRIPTOR.services_by_name["TaskService"])
    async with running_server(unknown) as target, aio.insecure_channel(target) as channel:
        stub = import_service_pb2_grpc.ImportServiceStub(channel)
        call = stub.GetImport(GET_IMPORT, metadata=bench.metadata())
        assert (await refused(call)).code == grpc.StatusCode.PERMISSION_DENIED
