"""Requests that cannot be parsed, from a client that ignores the contract."""

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2

from tests.integration.chassis.busy_server import SECONDS, running_busy_server
from tests.support.grpc_calls import refused
from tests.support.grpc_server import user_metadata
from tests.support.metrics import handled_calls
from tests.support.waiting import until

GARBAGE = b"\xff\xff\xff\xff no message"
BROKEN_TEXT = b"\x0a\x02\xff\xfe"
"""A string field that is not UTF-8, which proto3 requires."""

IMPORTS = "/taskmanager.imports.v1.ImportService"
METHODS = [
    (f"{IMPORTS}/GetImport", "unary_unary"),
    (f"{IMPORTS}/WatchImport", "unary_stream"),
    ("/grpc.health.v1.Health/Check", "unary_unary"),
    ("/grpc.health.v1.Health/Watch", "unary_stream"),
]


@pytest.fixture
async def channel():
    async with running_busy_server() as busy, aio.insecure_channel(busy.target) as channel:
        yield channel


async def refused_bytes(channel, method, shape, raw, metadata=()):
    call = getattr(channel, shape)(method)(raw, metadata=metadata, timeout=SECONDS)
    return await refused(call if shape == "unary_unary" else call.read())


@pytest.mark.parametrize(("method", "shape"), METHODS)
@pytest.mark.parametrize("raw", [GARBAGE, BROKEN_TEXT])
async def test_unreadable_request_is_invalid_argument(channel, method, shape, raw, capfd, caplog):
    """Bytes that cannot be parsed are INVALID_ARGUMENT with our own message, counted, and leave no traceback."""
    before = handled_calls(method, "InvalidArgument")
    status = await refused_bytes(channel, method, shape, raw, user_metadata())
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNREADABLE_REQUEST")
    assert status.message == "The request is not a message of the type that this method takes."
    # The server counts a call after it has sent the status.
    await until(lambda: handled_calls(method, "InvalidArgument") == before + 1)
    output = "".join([*capfd.readouterr(), caplog.text])
    assert "Traceback" not in output
    assert "DecodeError" not in output


@pytest.mark.parametrize(("method", "shape"), METHODS[:2])
async def test_unreadable_request_without_token_is_refused(channel, method, shape):
    """An unreadable request without a token is UNAUTHENTICATED: the token is checked first."""
    assert (await refused_bytes(channel, method, shape, GARBAGE)).code is grpc.StatusCode.UNAUTHENTICATED


async def test_stream_ends_at_the_first_unreadable_request(channel):
    call = channel.stream_unary(f"{IMPORTS}/UploadImport")(
        iter([b"", GARBAGE]), metadata=user_metadata(), timeout=SECONDS
    )
    status = await refused(call)
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNREADABLE_REQUEST")


async def test_unknown_field_is_accepted(channel):
    unknown = b"\xfa\x7f\x01x" + health_pb2.HealthCheckRequest().SerializeToString()
    response = await channel.unary_unary("/grpc.health.v1.Health/Check")(unknown, timeout=SECONDS)
    assert health_pb2.HealthCheckResponse.FromString(response).status == health_pb2.HealthCheckResponse.SERVING
