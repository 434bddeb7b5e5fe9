"""Load shedding: refuse calls at once when a process has more than it can handle in time.

Without a limit, calls queue until their callers have given up, and the work for them is wasted. gRPC's own limit
(maximum_concurrent_rpcs) is only a backstop: it also refuses health checks, sends no RetryInfo, and its refusals are
neither counted nor logged. The limit of pending requests keeps held calls far below it.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health_pb2
from prometheus_client import Counter

from chassis.kernel.errors import DomainError
from chassis.rpc.access import Access, is_internal
from chassis.rpc.interceptor import Context, ContextInterceptor
from chassis.rpc.methods import methods_of

SHED_CALLS = Counter("grpc_server_shed", "Calls refused by load shedding", ["kind"])
CALL, STREAM, FOREIGN = "call", "stream", "foreign"
"""Kinds of calls, counted separately. "foreign" calls are those of health and reflection, not of the contract."""

_HEALTH_CHECK = f"/{health_pb2.DESCRIPTOR.services_by_name['Health'].full_name}/Check"


class Overloaded(DomainError):
    """The service is overloaded. Try again shortly."""

    retry_after_seconds = 1.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """Maximum concurrent calls and streams of a process. Streams are counted separately: they mostly wait."""

    max_concurrent_calls: int
    max_concurrent_streams: int
    max_streams_per_caller: int = 20
    """Part of `max_concurrent_streams` that one caller may use."""
    max_connections: int = 600
    """Further connections to a port are closed. Two ports need less than 1,024, a common limit of open files."""

    @property
    def max_pending_requests(self) -> int:
        """Maximum calls that wait for their request message. gRPC's own limit is twice as high."""
        return 5 * (self.max_concurrent_calls + self.max_concurrent_streams)

    @property
    def max_calls_per_connection(self) -> int:
        """Maximum open calls on one connection; further ones wait in the client.

        It is above the limits of load shedding, because a gateway uses one connection for all its clients.
        """
        return 2 * (self.max_concurrent_calls + self.max_concurrent_streams)

    @property
    def max_concurrent_rpcs(self) -> int:
        """Limit of gRPC itself, above all others."""
        return 10 * (self.max_concurrent_calls + self.max_concurrent_streams)


DEFAULT_CAPACITY = Capacity(max_concurrent_calls=500, max_concurrent_streams=500)


class LoadShedInterceptor(ContextInterceptor):
    """Interceptor that refuses calls above the capacity before any work is done for them.

    Health checks are exempt. So are rpcs that only our own services may call: their number is bounded by the number of
    services, and stopping imports or revocations would make an overload worse. Streams of health and reflection, which
    anybody may open, have a limit of their own.
    """

    def __init__(
        self, *, capacity: Capacity, services: Iterable[ServiceDescriptor], policy: Mapping[str, Access]
    ) -> None:
        self._max_in_flight = {
            CALL: capacity.max_concurrent_calls,
            STREAM: capacity.max_concurrent_streams,
            FOREIGN: capacity.max_concurrent_streams,
        }
        self._in_flight = dict.fromkeys(self._max_in_flight, 0)
        self._kinds = {path: STREAM if is_streaming(method) else CALL for path, method in methods_of(services)}
        self._exempt = {_HEALTH_CHECK} | {method for method, access in policy.items() if is_internal(access)}

    @contextmanager
    def call_context(self, context: Context, method: str) -> Iterator[None]:  # noqa: ARG002 - the interface
        if method in self._exempt:
            yield
            return
        kind = self._kinds.get(method, FOREIGN)
        if self._in_flight[kind] >= self._max_in_flight[kind]:
            SHED_CALLS.labels(kind).inc()
            raise Overloaded(is_retryable_elsewhere=True)
        self._in_flight[kind] += 1
        try:
            yield
        finally:
            self._in_flight[kind] -= 1


def is_streaming(method: MethodDescriptor) -> bool:
    """Return True if the method streams in either direction."""
    return bool(method.client_streaming or method.server_streaming)
