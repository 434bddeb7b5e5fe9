"""Client of one service behind the gateway; it makes calls from descriptors."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message_factory import GetMessageClass
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.rpc.call_metrics import CallMetrics
from chassis.rpc.client import plain_channel
from chassis.tls.reloader import CertificateReloader
from gateway.clients.retry_budget import RetryBudget
from gateway.clients.retrying_call import RetryingCall
from gateway.transcoding.contract import Rpc

Metadata = tuple[tuple[str, str], ...]
"""Metadata of a call. Each call passes its own, because an interceptor would cost every call one more asyncio task."""


HEALTH_CHECK_TIMEOUT_SECONDS = 1.0


class NotServing(Exception):
    """The service responds and reports that it does not serve."""


class Upstream:
    """A service: its rpcs, the channel to it, and its health."""

    def __init__(
        self,
        *,
        name: str,
        target: str,
        rpcs: Iterable[Rpc],
        certificates: CertificateReloader | None = None,
        idempotent: Iterable[str] = (),
    ) -> None:
        """Open the channel. `idempotent` are further methods that gRPC may retry, as "package.Service/Method"."""
        self.name = name
        self.rpcs = tuple(rpcs)
        idempotent = [*idempotent, *(rpc.grpc_path.removeprefix("/") for rpc in self.rpcs if rpc.is_safe)]
        self.channel = plain_channel(target, certificates=certificates, idempotent=idempotent)
        self._retry_budget = RetryBudget()
        self._health = health_pb2_grpc.HealthStub(self.channel)

    def unary_call(self, rpc: Rpc, *, timeout_seconds: float) -> RetryingCall:
        """Return the callable of a unary rpc."""
        call = self.channel.unary_unary(rpc.grpc_path, *_codec(rpc.request, rpc.response))
        return RetryingCall(
            call,
            method=rpc.grpc_path,
            connected=self.channel.channel_ready,
            timeout_seconds=timeout_seconds,
            budget=self._retry_budget,
            metrics=CallMetrics.of_client(rpc.grpc_path),
        )

    def server_stream_call(self, rpc: Rpc) -> aio.UnaryStreamMultiCallable[Any, Any]:
        """Return the callable of a server-streaming rpc."""
        return self.channel.unary_stream(rpc.grpc_path, *_codec(rpc.request, rpc.response))

    def client_stream_call(self, rpc: Rpc) -> aio.StreamUnaryMultiCallable[Any, Any]:
        """Return the callable of a client-streaming rpc."""
        return self.channel.stream_unary(rpc.grpc_path, *_codec(rpc.request, rpc.response))

    async def check(self) -> None:
        """Raise an error unless the service reports SERVING (grpc.health.v1)."""
        response = await self._health.Check(health_pb2.HealthCheckRequest(), timeout=HEALTH_CHECK_TIMEOUT_SECONDS)
        if response.status != health_pb2.HealthCheckResponse.SERVING:
            raise NotServing(self.name)

    async def close(self) -> None:
        """Close the channel and cancel its calls."""
        await self.channel.close()


def _codec(request: Descriptor, response: Descriptor) -> tuple[Any, Any]:
    return GetMessageClass(request).SerializeToString, GetMessageClass(response).FromString
