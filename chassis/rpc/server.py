"""gRPC server: interceptor chain, health, reflection, and a graceful stop."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from chassis.limits.load_shed import DEFAULT_CAPACITY, Capacity, LoadShedInterceptor, Overloaded
from chassis.limits.pending_requests import (
    REQUEST_TIMEOUT_SECONDS,
    PendingRequests,
    RequestTimeout,
    TooManyPendingRequests,
)
from chassis.limits.rate_limit_interceptor import TooManyCalls
from chassis.limits.stream_limit import StreamLimitInterceptor, TooManyStreams
from chassis.rpc.access import Access, is_internal, read_policy
from chassis.rpc.access_log import AccessLogInterceptor
from chassis.rpc.auth import JwtInterceptor, PermissionDenied
from chassis.rpc.call_metrics import ServerMetrics
from chassis.rpc.coalescing import CoalescingInterceptor
from chassis.rpc.errors import ErrorInterceptor, StatusTable
from chassis.rpc.handler_cache import HandlerCache
from chassis.rpc.health_servicer import HealthServicer
from chassis.rpc.methods import methods_of
from chassis.rpc.receive import ReceiveInterceptor
from chassis.rpc.request_id import RequestIdInterceptor
from chassis.rpc.tracing import TracingInterceptor
from chassis.settings import CannotListen, Listen
from chassis.tls.credentials import server_credentials
from chassis.tls.reloader import CertificateReloader
from chassis.tokens import TokenVerifier, Unauthenticated
from chassis.tracing.spans import is_enabled

log = structlog.get_logger("server")

ACCESS_STATUS: StatusTable = {
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    TooManyCalls: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    TooManyStreams: grpc.StatusCode.RESOURCE_EXHAUSTED,
    TooManyPendingRequests: grpc.StatusCode.RESOURCE_EXHAUSTED,
    RequestTimeout: grpc.StatusCode.DEADLINE_EXCEEDED,
}

OPTIONS: Sequence[tuple[str, int]] = (
    # On by default: a second server could bind the same port and silently receive half of the calls.
    ("grpc.so_reuseport", 0),
    # Our own clients ping every 2 s. With the default minimum of 5 min, the server would reply with GOAWAY. The name of
    # the option says nothing of it, but it is the minimum for received pings.
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    # New replicas get no calls until old connections end.
    ("grpc.max_connection_age_ms", 300_000),
    # Uploads and downloads on an old connection may finish: they can't be resumed on another one.
    ("grpc.max_connection_age_grace_ms", 3_600_000),
)

_FOREIGN_SERVICES = (
    health_pb2.DESCRIPTOR.services_by_name["Health"],
    reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
)
"""Services of every server that are not part of the contract."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Servicer with its descriptor and the generated function add_..._to_server."""

    descriptor: ServiceDescriptor
    add_to_server: Callable[[Any, Any], None]
    servicer: Any


def _is_callable(service: ServiceDescriptor, policy: Mapping[str, Access]) -> bool:
    return any(path in policy for path, _ in methods_of([service]))


class _GenericHandlers:
    """A server to which servicers are added without registered methods; their generic handlers serve the same calls.

    grpc.aio waits for the next call of each registered method in a task of its own, and for all of these tasks at every
    call. With 35 methods that costs each call 40 us.
    """

    def __init__(self, server: aio.Server) -> None:
        self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Leave the methods to the generic handlers."""


class GrpcServer:
    """Server of registrations behind the interceptor chain that every service shares.

    The order of the chain, outermost first, with the reason:

    - handler cache: it composes the others once for each method.
    - tracing, if it is on: its span covers everything below, and the log lines have its id.
    - request id, access log: they must see refused calls too.
    - coalescing: its waits belong to the logged time, and everything below runs for several calls in a row.
    - errors: every refusal of the interceptors below becomes a status here.
    - the service's own `interceptors`: they may refuse before a token is verified.
    - JWT: authentication and access. Before the first trust state it refuses every call but health.
    - receive: the request is read here, so that everything above sees the call at its headers, and a caller without a
      token can't hold a call open.
    - load shedding: before any work is done. A call that still waits for its request occupies no slot.
    - stream limit: it needs the caller.

    Without internal rpcs, the server does not have the services of which every rpc is internal. It refuses the
    internal rpcs of the other services to every caller.

    With certificates, connections use mutual TLS. A token is required all the same: the certificate decides which
    program may connect, the token decides who calls.
    """

    def __init__(
        self,
        *,
        listen: Listen,
        registrations: Sequence[Registration],
        verifier: TokenVerifier,
        status: StatusTable,
        with_reflection: bool,
        drain_seconds: float,
        interceptors: Sequence[aio.ServerInterceptor] = (),
        certificates: CertificateReloader | None = None,
        capacity: Capacity = DEFAULT_CAPACITY,
        request_timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
        with_internal_rpcs: bool = True,
    ) -> None:
        self._listen = listen
        self._certificates = certificates
        self._drain_seconds = drain_seconds
        policy = read_policy(registration.descriptor for registration in registrations)
        if not with_internal_rpcs:
            policy = {method: access for method, access in policy.items() if not is_internal(access)}
            registrations = [each for each in registrations if _is_callable(each.descriptor, policy)]
        services = [registration.descriptor for registration in registrations]
        pending = PendingRequests(timeout_seconds=request_timeout_seconds, max_pending=capacity.max_pending_requests)
        # Without internal rpcs, callers are strangers: they can't choose the trace or that it is recorded.
        tracing = TracingInterceptor(services=services, policy=policy, link_only=not with_internal_rpcs)
        self._server = aio.server(
            interceptors=[
                HandlerCache(),
                *([tracing] if is_enabled() else []),
                RequestIdInterceptor(),
                AccessLogInterceptor(ServerMetrics([*services, *_FOREIGN_SERVICES])),
                CoalescingInterceptor(services),
                ErrorInterceptor({**ACCESS_STATUS, **status}, services),
                *interceptors,
                JwtInterceptor(verifier=verifier, policy=policy),
                ReceiveInterceptor(pending),
                LoadShedInterceptor(capacity=capacity, services=services, policy=policy),
                StreamLimitInterceptor(max_streams=capacity.max_streams_per_caller, services=services, policy=policy),
            ],
            options=[
                *OPTIONS,
                ("grpc.max_concurrent_streams", capacity.max_calls_per_connection),
                ("grpc.max_allowed_incoming_connections", capacity.max_connections),
            ],
            maximum_concurrent_rpcs=capacity.max_concurrent_rpcs,
        )
        handlers = _GenericHandlers(self._server)
        for registration in registrations:
            registration.add_to_server(registration.servicer, handlers)
        names = [service.full_name for service in services]
        self._health = HealthServicer(["", *names])
        health_pb2_grpc.add_HealthServicer_to_server(self._health, handlers)
        if with_reflection:
            shown = [*names, health.SERVICE_NAME, reflection.SERVICE_NAME]
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server(
                reflection.aio.ReflectionServicer(shown), handlers
            )
        self.port = 0
        self.is_ready = asyncio.Event()

    async def start(self) -> Self:
        """Bind and serve. Health reports NOT_SERVING until `set_ready`. Raises CannotListen."""
        try:
            self.port = self._bind()
        except RuntimeError as error:
            raise CannotListen(self._listen) from error
        await self._server.start()
        return self

    def _bind(self) -> int:
        if self._certificates is None:
            return self._server.add_insecure_port(str(self._listen))
        return self._server.add_secure_port(str(self._listen), server_credentials(self._certificates))

    async def set_ready(self) -> None:
        """Report SERVING: the server accepts calls."""
        self._health.set_serving()
        self.is_ready.set()
        log.info("serving", port=self.port)

    def leave(self) -> None:
        """Report NOT_SERVING, so that clients choose another replica. Calls are still accepted."""
        self._health.stop()

    async def stop(self) -> None:
        """Refuse new calls, let open ones finish for drain_seconds, and cancel the rest."""
        self.leave()
        await self._server.stop(self._drain_seconds)
        log.info("stopped")
