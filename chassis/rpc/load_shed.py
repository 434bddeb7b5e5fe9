"""Turning calls away at once when there are more than a process can answer in time.

Without a limit they all wait for each other until their callers have given up, and the work done for them is lost.
gRPC's own limit is only the backstop behind this one: it refuses health checks too, tells nobody when to come back, and
its refusals are neither counted nor logged.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health_pb2
from prometheus_client import Counter

from chassis.kernel.errors import DomainError
from chassis.rpc.access import Access
from chassis.rpc.interceptor import ContextInterceptor
from chassis.rpc.interceptor import Context

SHED = Counter("grpc_server_shed", "Calls turned away because there were too many", ["kind"])
CALL, STREAM, FOREIGN = "call", "stream", "foreign"
_HEALTH_CHECK = f"/{health_pb2.DESCRIPTOR.services_by_name['Health'].full_name}/Check"


class Overloaded(DomainError):
    """The service has too much to do at the moment; try again shortly."""

    retry_after = 1.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many calls a process answers at once. Streams are counted apart: they stay open and mostly wait."""

    calls: int
    streams: int
    max_streams_per_caller: int = 20
    """Of `streams`, one caller's."""

    @property
    def backstop(self) -> int:
        """Where gRPC itself begins to refuse."""
        return 10 * (self.calls + self.streams)


USUAL = Capacity(max_concurrent_calls=500, streams=500)
"""Where nothing else is set; services' settings begin from it."""


class LoadShedInterceptor(ContextInterceptor):
    """Refuses what is too much before anything is done for it.

    Health checks are exempt, and so is what only our own services may call: there is as much of that as there are
    services, and an import or a list of revocations that stands still would make matters worse. Watches of health and
    reflection, which anybody may open and keep open, take no place of ours and have a limit of their own.
    """

    def __init__(
        self, *, capacity: Capacity, services: Iterable[ServiceDescriptor], policy: Mapping[str, Access]
    ) -> None:
        self._most = {CALL: capacity.calls, STREAM: capacity.streams, FOREIGN: capacity.streams}
        self._in_flight = dict.fromkeys(self._most, 0)
        self._kinds = {
            f"/{service.full_name}/{method.name}": STREAM if streams(method) else CALL
            for service in services
            for method in service.methods
        }
        self._exempt = {_HEALTH_CHECK} | {
            method for method, access in policy.items() if not (access.public or access.roles)
        }

    @asynccontextmanager
    async def around(self, context: Context, method: str) -> AsyncIterator[None]:  # noqa: ARG002 - whoever calls
        if method in self._exempt:
            yield
            return
        kind = self._kinds.get(method, FOREIGN)
        if self._in_flight[kind] >= self._most[kind]:
            SHED.labels(kind).inc()
            raise Overloaded
        self._in_flight[kind] += 1
        try:
            yield
        finally:
            self._in_flight[kind] -= 1


def streams(method: MethodDescriptor) -> bool:
    """Whether a call of it stays open, in either direction."""
    return bool(method.client_streaming or method.server_streaming)
