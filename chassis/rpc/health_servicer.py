"""Health of a server (grpc.health.v1): one status for the server and for each of its services.

The library's servicer holds a lock while it sends to a watcher. A watcher that does not read would block every change
of the status. Its watches also stay open during a stop.
"""

import asyncio
from collections.abc import AsyncIterator, Collection

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.rpc.interceptor import Context


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc] # the library has no types
    """Servicer of the health checks. Every watch ends after `stop`, so that watches do not delay the server's stop."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._status: health_pb2.HealthCheckResponse.ServingStatus = health_pb2.HealthCheckResponse.NOT_SERVING
        self._is_stopping = False
        self._changed = asyncio.Event()

    def set_serving(self) -> None:
        """Report SERVING."""
        self._change(health_pb2.HealthCheckResponse.SERVING)

    def stop(self) -> None:
        """Report NOT_SERVING, and end the watches."""
        self._is_stopping = True
        self._change(health_pb2.HealthCheckResponse.NOT_SERVING)

    def _change(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        self._status = status
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(  # noqa: N802 - the name of the rpc
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        if request.service not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND, "No such service.")
        return health_pb2.HealthCheckResponse(status=self._status)

    async def Watch(  # noqa: N802
        self,
        request: health_pb2.HealthCheckRequest,
        context: Context,  # noqa: ARG002 - the signature of gRPC
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        is_known = request.service in self._names
        sent: health_pb2.HealthCheckResponse.ServingStatus | None = None
        while True:
            changed = self._changed
            status = self._status if is_known else health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
            if status != sent:
                yield health_pb2.HealthCheckResponse(status=status)
                sent = status
            if self._is_stopping:
                return
            if changed is self._changed:  # else the status changed while the response was sent
                await changed.wait()
