"""Bytes that are no request, sent by a client that does not care for the contract."""

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2

from chassis.rpc.errors import read_status
from tests.integration.chassis.busy_server import SECONDS, counted, running
from tests.small_server import person

GARBAGE = b"\xff\xff\xff\xff no message"
BROKEN_TEXT = b"\x0a\x02\xff\xfe"
"""A string field, which proto3 wants in UTF-8."""

IMPORTS = "/taskmanager.imports.v1.ImportService"
METHODS = [
    (f"{IMPORTS}/GetImport", "unary_unary"),
    (f"{IMPORTS}/WatchImport", "unary_stream"),
    ("/grpc.health.v1.Health/Check", "unary_unary"),
    ("/grpc.health.v1.Health/Watch", "unary_stream"),
]


@pytest.fixture
async def channel():
    async with running() as busy, aio.insecure_channel(busy.target) as channel:
        yield channel


async def refused(channel, method, shape, raw, metadata=()):
    call = getattr(channel, shape)(method)(raw, metadata=metadata, timeout=SECONDS)
    with pytest.raises(aio.AioRpcError) as caught:
        await (call if shape == "unary_unary" else call.read())
    return read_status(caught.value)


@pytest.mark.parametrize(("method", "shape"), METHODS)
@pytest.mark.parametrize("raw", [GARBAGE, BROKEN_TEXT])
async def test_what_can_not_be_parsed_is_an_invalid_argument_in_our_own_words_and_counted(
    channel, method, shape, raw, capfd, caplog
):
    before = counted("grpc_server_handled_total", method=method, code="INVALID_ARGUMENT")
    status = await refused(channel, method, shape, raw, person())
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNREADABLE_REQUEST")
    assert status.message == "The request can't be read: it is no message of the kind that this call takes."
    assert counted("grpc_server_handled_total", method=method, code="INVALID_ARGUMENT") == before + 1
    written = "".join([*capfd.readouterr(), caplog.text])
    assert "Traceback" not in written
    assert "DecodeError" not in written


@pytest.mark.parametrize(("method", "shape"), METHODS[:2])
async def test_without_a_token_it_is_the_token_that_is_missed(channel, method, shape):
    assert (await refused(channel, method, shape, GARBAGE)).code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_stream_of_requests_ends_at_the_first_that_can_not_be_parsed(channel):
    call = channel.stream_unary(f"{IMPORTS}/UploadImport")(iter([b"", GARBAGE]), metadata=person(), timeout=SECONDS)
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    assert (caught.value.code(), read_status(caught.value).reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "UNREADABLE_REQUEST",
    )


async def test_a_field_that_nobody_knows_is_no_fault(channel):
    unknown = b"\xfa\x7f\x01x" + health_pb2.HealthCheckRequest().SerializeToString()
    answer = await channel.unary_unary("/grpc.health.v1.Health/Check")(unknown, timeout=SECONDS)
    assert health_pb2.HealthCheckResponse.FromString(answer).status == health_pb2.HealthCheckResponse.SERVING
