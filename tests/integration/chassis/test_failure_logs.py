"""The access line of a failed call explains the failure."""

from collections.abc import Callable

import pytest
from taskmanager.trust.v1 import trust_service_pb2 as pb
from taskmanager.trust.v1 import trust_service_pb2_grpc

from chassis.kernel.errors import Invalid, Unavailable
from chassis.rpc.client import open_channel
from tests.support.grpc_calls import refused
from tests.support.grpc_server import build_server, running_server, service_metadata, trust_service
from tests.support.waiting import until


class BadValue(Invalid):
    """The value is bad."""


class Servicer(trust_service_pb2_grpc.TrustServiceServicer):
    def __init__(self, fail: Callable[[], None]) -> None:
        self._fail = fail

    async def GetTrustState(self, request, context):  # noqa: ARG002, N802 - the signature of gRPC
        self._fail()


def outage() -> None:
    try:
        raise ConnectionError("port 5432: refused\nDETAIL: s3cret")
    except ConnectionError as error:
        raise Unavailable from error


def bad_value() -> None:
    try:
        raise ValueError("s3cret is no number")
    except ValueError as error:
        raise BadValue from error


def bug() -> None:
    raise LookupError("no such thing")


@pytest.mark.parametrize(
    ("fail", "reason", "cause"),
    [
        (outage, "UNAVAILABLE", "ConnectionError: port 5432: refused"),
        (bug, "INTERNAL", "LookupError: no such thing"),
        (bad_value, "BAD_VALUE", None),
    ],
)
async def test_access_line_has_reason_and_cause(capfd, fail, reason, cause):
    """The line has the reason; of an outage and of a bug also the cause, without anything that can be a secret."""
    async with running_server(build_server(trust_service(Servicer(fail)))) as target, open_channel(target) as channel:
        call = trust_service_pb2_grpc.TrustServiceStub(channel).GetTrustState
        await refused(call(pb.GetTrustStateRequest(), metadata=service_metadata("trust:read")))
        lines: list[str] = []

        def is_logged() -> bool:
            lines.extend(capfd.readouterr().out.splitlines())
            return any("call" in line and "status=" in line for line in lines)

        await until(is_logged)
    line = next(line for line in lines if "status=" in line)
    assert f"reason={reason}" in line
    assert ("cause=" in line) == (cause is not None)
    assert cause is None or f"cause='{cause}'" in line
    assert "s3cret" not in line
