"""A service behind the gateway."""

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor
from google.protobuf.message_factory import GetMessageClass
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.rpc.client import plain_channel
from chassis.tls.reloader import CertificateReloader
from gateway.transcoding.contract import Rpc

Metadata = tuple[tuple[str, str], ...]
"""What goes with a call. It is handed over with each call: an interceptor would cost every call another task."""


class Upstream:
    """One service: its rpcs, the channel to it, and its health."""

    def __init__(
        self, *, name: str, target: str, rpcs: Iterable[Rpc], certificates: CertificateReloader | None = None
    ) -> None:
        self.name = name
        self.rpcs = tuple(rpcs)
        idempotent = [rpc.grpc_path.removeprefix("/") for rpc in self.rpcs if rpc.is_idempotent]
        self._channel = plain_channel(target, certificates=certificates, idempotent=idempotent)
        self._health = health_pb2_grpc.HealthStub(self._channel)

    def unary(self, rpc: Rpc) -> aio.UnaryUnaryMultiCallable[Any, Any]:
        """Calls the rpc: one message there, one back."""
        return self._channel.unary_unary(rpc.grpc_path, *_codec(rpc.request, rpc.response))

    def server_stream(self, rpc: Rpc) -> aio.UnaryStreamMultiCallable[Any, Any]:
        """Calls the rpc: one message there, a stream back."""
        return self._channel.unary_stream(rpc.grpc_path, *_codec(rpc.request, rpc.response))

    def client_stream(self, rpc: Rpc) -> aio.StreamUnaryMultiCallable[Any, Any]:
        """Calls the rpc: a stream there, one message back."""
        return self._channel.stream_unary(rpc.grpc_path, *_codec(rpc.request, rpc.response))

    async def is_serving(self, *, within: float) -> bool:
        """Whether the service says of itself that calls are welcome, and says so in that many seconds."""
        try:
            answer = await self._health.Check(health_pb2.HealthCheckRequest(), timeout=within)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        """Ends the channel and what still runs on it."""
        await self._channel.close()


def _codec(request: Descriptor, response: Descriptor) -> tuple[Any, Any]:
    return GetMessageClass(request).SerializeToString, GetMessageClass(response).FromString
