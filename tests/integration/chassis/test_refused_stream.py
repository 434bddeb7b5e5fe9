"""A stream of requests that the method refuses before it has read them all."""

import asyncio
from collections.abc import AsyncIterator

import grpc
from grpc import aio
from taskmanager.imports.v1 import import_service_pb2, import_service_pb2_grpc

from chassis.kernel.errors import Invalid
from tests.support.grpc_calls import refused
from tests.support.grpc_server import build_server, import_service, running_server, user_metadata

REQUESTS = 200


class BadOptions(Invalid):
    """The options are bad."""


class RefusingServicer(import_service_pb2_grpc.ImportServiceServicer):
    """Servicer that refuses an upload at its first request."""

    def __init__(self) -> None:
        self.has_refused = asyncio.Event()

    async def UploadImport(self, request_iterator, context):  # noqa: ARG002, N802 - the signature of gRPC
        await anext(aiter(request_iterator))
        self.has_refused.set()
        raise BadOptions


async def test_refused_client_gets_the_status_after_its_last_write():
    """A client that still sends when the server has refused its stream can send the rest, and then gets the status.

    A Python client reports INTERNAL when a write of it fails because the call has ended.
    """
    servicer = RefusingServicer()  # type: ignore[abstract]  # the others are not called
    sent = []

    async def requests() -> AsyncIterator[import_service_pb2.UploadImportRequest]:
        for number in range(REQUESTS):
            if number == 1:
                await servicer.has_refused.wait()
            yield import_service_pb2.UploadImportRequest()
            sent.append(number)

    async with (
        running_server(build_server(import_service(servicer))) as target,
        aio.insecure_channel(target) as channel,
    ):
        upload = import_service_pb2_grpc.ImportServiceStub(channel).UploadImport
        status = await refused(upload(requests(), metadata=user_metadata()))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_OPTIONS")
    assert len(sent) == REQUESTS
