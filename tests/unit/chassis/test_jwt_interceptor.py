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

from chassis.rpc.errors import read_status
from chassis.rpc.request_context import current_caller
from tests.small_server import GET, IMPORTS, WATCH, imports, listening, service, small_server, token, told, trusting


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
        self.state = trusting()
        self.servicer = Imports()  # type: ignore[abstract]  # the others are not called
        self.subject, self.session = str(uuid4()), str(uuid4())

    def metadata(self):
        claims = {"sub": self.subject, "role": "user", "sid": self.session, "epoch": 0}
        # In small letters: a scheme is what it is in any case (RFC 9110 section 11.1).
        return (("authorization", f"bearer {token(**claims)}"),)

    def server(self, descriptor=IMPORTS):
        return small_server(imports(self.servicer, descriptor), state=self.state)


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
async def stub(bench):
    async with listening(bench.server()) as target, aio.insecure_channel(target) as channel:
        yield import_service_pb2_grpc.ImportServiceStub(channel)


async def refused(call):
    """The status that a call is refused with, a stream at its next message."""
    with pytest.raises(aio.AioRpcError) as refusal:
        await (call.read() if hasattr(call, "read") else call)
    return read_status(refusal.value)


async def test_handlers_learn_who_calls_in_both_kinds_of_calls(bench, stub):
    assert (await stub.GetImport(GET, metadata=bench.metadata())).id == bench.subject
    watch = stub.WatchImport(WATCH, metadata=bench.metadata())
    assert (await watch.read()).id == bench.subject
    watch.cancel()
    await asyncio.wait_for(bench.servicer.left.wait(), 10)


async def test_no_handler_begins_before_its_caller_is_admitted(bench, stub):
    for call in (stub.GetImport(GET), stub.WatchImport(WATCH)):
        assert (await refused(call)).code == grpc.StatusCode.UNAUTHENTICATED
    other = service("tasks:read")
    for call in (stub.GetImport(GET, metadata=other), stub.WatchImport(WATCH, metadata=other)):
        assert (await refused(call)).code == grpc.StatusCode.PERMISSION_DENIED
    assert bench.servicer.began == 0


async def test_an_open_stream_ends_when_its_session_does(bench, stub):
    watch = stub.WatchImport(WATCH, metadata=bench.metadata())
    await watch.read()
    ended = trust_service_pb2.Revocation(session_id=bench.session)
    ended.expire_time.FromSeconds(int(time.time()) + 900)
    bench.state.apply(told(ended))
    async with asyncio.timeout(30):
        status = await refused(watch)
        await bench.servicer.left.wait()
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")


async def test_a_service_that_the_policy_does_not_know_is_refused_to_everybody(bench):
    unknown = bench.server(task_service_pb2.DESCRIPTOR.services_by_name["TaskService"])
    async with listening(unknown) as target, aio.insecure_channel(target) as channel:
        stub = import_service_pb2_grpc.ImportServiceStub(channel)
        call = stub.GetImport(GET, metadata=bench.metadata())
        assert (await refused(call)).code == grpc.StatusCode.PERMISSION_DENIED
