"""Metrics of gRPC calls on a real server and a real channel."""

import asyncio
import secrets
from typing import Any

import grpc
from prometheus_client import REGISTRY
from taskmanager.trust.v1 import trust_service_pb2 as pb
from taskmanager.trust.v1 import trust_service_pb2_grpc

from chassis.rpc.call_metrics import ServerMetrics, code_label
from chassis.rpc.client import open_channel
from tests.support.grpc_calls import refused
from tests.support.grpc_server import build_server, running_server, service_metadata, trust_service
from tests.support.metrics import metric_value
from tests.support.waiting import until

METHOD = {
    "grpc_type": "unary",
    "grpc_service": "taskmanager.trust.v1.TrustService",
    "grpc_method": "GetTrustState",
}
SIDES = ("server", "client")


class Servicer(trust_service_pb2_grpc.TrustServiceServicer):
    async def GetTrustState(self, request, context):  # noqa: ARG002, N802 - the signature of gRPC
        return pb.TrustState()


def calls(code: str) -> list[float]:
    """Return the numbers of started, handled and timed calls, on the server's side and on the client's."""
    return [
        metric_value(name, **METHOD, **labels)
        for side in SIDES
        for name, labels in (
            (f"grpc_{side}_started_total", {}),
            (f"grpc_{side}_handled_total", {"grpc_code": code}),
            (f"grpc_{side}_handling_seconds_count", {}),
        )
    ]


async def test_call_is_counted_by_both_sides():
    """A call counts as started, handled with its code, and timed, on the server and on the client."""
    async with running_server(build_server(trust_service(Servicer()))) as target, open_channel(target) as channel:
        stub = trust_service_pb2_grpc.TrustServiceStub(channel)
        before, refused_before = calls("OK"), calls("Unauthenticated")
        await stub.GetTrustState(pb.GetTrustStateRequest(), metadata=service_metadata("trust:read"))
        await until(lambda: calls("OK") == [value + 1 for value in before])
        await refused(stub.GetTrustState(pb.GetTrustStateRequest()))
        expected = [value + (1 if number % 3 == 1 else 2) for number, value in enumerate(refused_before)]
        await until(lambda: calls("Unauthenticated") == expected)


class HangingServicer(trust_service_pb2_grpc.TrustServiceServicer):
    async def GetTrustState(self, request, context):  # noqa: ARG002, N802 - the signature of gRPC
        await asyncio.Event().wait()


async def test_cancelled_call_is_cancelled_on_the_server_too():
    """The metrics of the client wait for the end of a call. Its cancellation must reach the server all the same."""
    server = build_server(trust_service(HangingServicer()))
    async with running_server(server) as target, open_channel(target) as channel:
        before = calls("Canceled")
        stub = trust_service_pb2_grpc.TrustServiceStub(channel)
        call = stub.GetTrustState(pb.GetTrustStateRequest(), metadata=service_metadata("trust:read"))
        started = metric_value("grpc_server_started_total", **METHOD)
        await until(lambda: metric_value("grpc_server_started_total", **METHOD) == started + 1)
        call.cancel()
        await until(lambda: calls("Canceled") == [value + 1 for value in before])


def unary_call(channel: Any, method: str) -> Any:
    return channel.unary_unary(method)(b"")


def label_values() -> set[str]:
    families = [family for family in REGISTRY.collect() if family.name.startswith("grpc_")]
    return {value for family in families for sample in family.samples for value in sample.labels.values()}


async def test_unknown_method_makes_no_label_value():
    """A client can invent any number of methods. None of them becomes the value of a label."""
    async with running_server(build_server(trust_service(Servicer()))) as target:
        before = label_values()
        async with grpc.aio.insecure_channel(target) as channel:
            for _ in range(3):
                method = f"/taskmanager.trust.v1.TrustService/{secrets.token_hex(4)}"
                status = await refused(unary_call(channel, method))
                assert status.code is grpc.StatusCode.UNIMPLEMENTED
                ServerMetrics([]).of(method).record_start()  # gRPC refuses such a call before the interceptors
        assert label_values() == before


def test_codes_are_spelt_as_in_go():
    assert [code_label(code) for code in (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED)] == ["OK", "Canceled"]
    assert code_label(grpc.StatusCode.RESOURCE_EXHAUSTED) == "ResourceExhausted"
