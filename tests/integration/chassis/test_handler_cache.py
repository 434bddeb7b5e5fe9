"""Handlers are composed once for each method, and unknown methods leave nothing behind."""

from collections import Counter
from contextlib import nullcontext
from typing import Any

import grpc
import pytest
from taskmanager.trust.v1 import trust_service_pb2 as pb
from taskmanager.trust.v1 import trust_service_pb2_grpc

from chassis.rpc.client import open_channel
from chassis.rpc.interceptor import ContextInterceptor
from tests.support.grpc_server import build_server, running_server, service_metadata, trust_service


class Servicer(trust_service_pb2_grpc.TrustServiceServicer):
    async def GetTrustState(self, request, context) -> pb.TrustState:  # noqa: ARG002, N802 - the signature of gRPC
        return pb.TrustState(next_cursor=request.cursor)


class CountingInterceptor(ContextInterceptor):
    """Interceptor that counts the requests for a handler and the calls, by method."""

    def __init__(self) -> None:
        self.handlers: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        self.handlers[handler_call_details.method.rpartition("/")[2]] += 1
        return await super().intercept_service(continuation, handler_call_details)

    def call_context(self, context, method: str):  # noqa: ARG002 - the interface
        self.calls[method.rpartition("/")[2]] += 1
        return nullcontext()


async def test_handler_is_composed_at_the_first_call():
    """Every call passes the interceptors, but only the first one of a method composes them. Others stay unknown."""
    counting = CountingInterceptor()
    server = build_server(trust_service(Servicer()), interceptors=[counting])
    async with running_server(server) as target, open_channel(target) as channel:
        stub = trust_service_pb2_grpc.TrustServiceStub(channel)
        for cursor in ("a", "b", "c"):
            request = pb.GetTrustStateRequest(cursor=cursor)
            assert (await stub.GetTrustState(request, metadata=service_metadata("trust:read"))).next_cursor == cursor
        call: Any = channel.unary_unary("/taskmanager.trust.v1.TrustService/Unknown")
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(b"")
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert (counting.calls["GetTrustState"], counting.calls["Unknown"]) == (3, 0)
    assert counting.handlers["GetTrustState"] == 1
    assert counting.handlers["Unknown"] == 2  # not kept
