"""Calls of a running server wait for each other."""

import asyncio

from taskmanager.trust.v1 import trust_service_pb2 as pb
from taskmanager.trust.v1 import trust_service_pb2_grpc

from chassis.kernel import coalescing
from chassis.rpc.client import open_channel
from tests.support.grpc_server import build_server, running_server, service_metadata, trust_service
from tests.support.waiting import until


class Servicer(trust_service_pb2_grpc.TrustServiceServicer):
    """Servicer whose calls end when the test lets them."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.end = asyncio.Event()

    async def GetTrustState(self, request, context) -> pb.TrustState:  # noqa: ARG002, N802 - the signature of gRPC
        self.begun.append(request.cursor)
        await self.end.wait()
        return pb.TrustState(next_cursor=request.cursor)


async def test_call_waits_for_others_while_one_is_in_progress(monkeypatch):
    """The first begins at once. The second begins when no other one has arrived for some turns, here endless ones."""
    monkeypatch.setattr(coalescing, "MAX_SECONDS", 60.0)
    monkeypatch.setattr(coalescing, "QUIET_TURNS", 10**9)
    servicer = Servicer()
    async with running_server(build_server(trust_service(servicer))) as target, open_channel(target) as channel:
        stub = trust_service_pb2_grpc.TrustServiceStub(channel)
        calls = []
        for cursor in ("first", "second"):
            request = pb.GetTrustStateRequest(cursor=cursor)
            calls.append(asyncio.ensure_future(stub.GetTrustState(request, metadata=service_metadata("trust:read"))))
            await until(lambda: bool(servicer.begun))
        await until(coalescing.is_call_waiting)
        assert servicer.begun == ["first"]
        monkeypatch.setattr(coalescing, "QUIET_TURNS", 0)
        await until(lambda: servicer.begun == ["first", "second"])
        servicer.end.set()
        assert [(await call).next_cursor for call in calls] == ["first", "second"]
