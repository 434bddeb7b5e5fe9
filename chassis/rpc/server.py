"""A gRPC server of ours: the interceptor chain in its order, health, reflection, and a stop that drains."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chassis.settings import Listen
from chassis.rpc.access import read_policy
from chassis.limits.rate_limit_interceptor import TooManyCalls
from chassis.rpc.interceptor import ContextInterceptor
from chassis.rpc.auth import JwtInterceptor, PermissionDenied
from chassis.tls.credentials import server_credentials
from chassis.rpc.errors import ErrorInterceptor, StatusTable
from chassis.limits.load_shed import DEFAULT_CAPACITY
from chassis.limits.load_shed import Capacity
from chassis.limits.load_shed import LoadShedInterceptor
from chassis.limits.load_shed import Overloaded
from chassis.rpc.access_log import AccessLogInterceptor
from chassis.rpc.request_id import RequestIdInterceptor
from chassis.rpc.deserialize import DeserializeInterceptor
from chassis.limits.stream_limit import StreamLimitInterceptor
from chassis.limits.stream_limit import TooManyStreams
from chassis.tls.reloader import CertificateReloader
from chassis.tokens import TokenVerifier, Unauthenticated

log = structlog.get_logger("server")

ACCESS_STATUS: StatusTable = {
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    TooManyCalls: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    TooManyStreams: grpc.StatusCode.RESOURCE_EXHAUSTED,
}

OPTIONS: Sequence[tuple[str, int]] = (
    # On by default, and then a second server binds the same port and silently takes half of the calls.
    ("grpc.so_reuseport", 0),
    # Clients ping every 30 s; the server's own minimum of 5 min would answer with GOAWAY.
    ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
    # New replicas get no calls until old connections end.
    ("grpc.max_connection_age_ms", 300_000),
    # An upload or a download that began on an old connection comes to its end there: nobody could go on with it.
    ("grpc.max_connection_age_grace_ms", 3_600_000),
)


@dataclass(frozen=True, slots=True)
class Registration:
    """One servicer: its descriptor and what the generated code calls add_..._to_server."""

    descriptor: ServiceDescriptor
    add_to_server: Callable[[Any, aio.Server], None]
    servicer: Any


class PortTaken(OSError):
    """The address to listen on is in use or not this machine's."""


class GrpcServer:
    """Serves registrations behind the chain that every service shares.

    The order, outermost first: request id, access log and metrics must see refused calls too; errors is the outermost
    thing that can answer; what is too much is shed; a service's own `interceptors` may refuse before a token is looked
    at; the JWT comes behind them, so that its refusals are mapped, counted and logged; and what one caller may have is
    counted when it is known who calls. Requests that can't be parsed are told so last: strangers learn nothing by them.

    With certificates, connections are mutual TLS. A token is required all the same: the certificate says which program
    may knock, the token who asks.
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
        interceptors: Sequence[ContextInterceptor] = (),
        certificates: CertificateReloader | None = None,
        capacity: Capacity = DEFAULT_CAPACITY,
    ) -> None:
        self._listen = listen
        self._certificates = certificates
        self._drain_seconds = drain_seconds
        self._health = health.aio.HealthServicer()
        services = [registration.descriptor for registration in registrations]
        policy = read_policy(services)
        self._server = aio.server(
            interceptors=[
                RequestIdInterceptor(),
                AccessLogInterceptor(),
                ErrorInterceptor({**ACCESS_STATUS, **status}),
                LoadShedInterceptor(capacity=capacity, services=services, policy=policy),
                *interceptors,
                JwtInterceptor(verifier=verifier, policy=policy),
                StreamLimitInterceptor(most=capacity.max_streams_per_caller, services=services, policy=policy),
                DeserializeInterceptor(),
            ],
            options=list(OPTIONS),
            maximum_concurrent_rpcs=capacity.backstop,
        )
        for registration in registrations:
            registration.add_to_server(registration.servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = ["", *(service.full_name for service in services)]
        if with_reflection:
            reflection.enable_server_reflection(
                [*self._names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
            )
        self.port = 0
        self.is_ready = asyncio.Event()

    async def start(self) -> Self:
        """Binds and serves; health says NOT_SERVING until `ready`. PortTaken when the address can't be had."""
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        try:
            self.port = self._bind()
        except RuntimeError as error:
            message = f"cannot listen on {self._listen}: in use, or not an address of this machine"
            raise PortTaken(message) from error
        await self._server.start()
        return self

    def _bind(self) -> int:
        if self._certificates is None:
            return self._server.add_insecure_port(str(self._listen))
        return self._server.add_secure_port(str(self._listen), server_credentials(self._certificates))

    async def ready(self) -> None:
        """Tells health that calls are welcome."""
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        self.is_ready.set()
        log.info("serving", port=self.port)

    async def stop(self) -> None:
        """Turns health to NOT_SERVING, lets calls in flight end for drain_seconds, cancels the rest."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._drain_seconds)
        log.info("stopped")

    async def _set_health(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in self._names:
            await self._health.set(name, status)
