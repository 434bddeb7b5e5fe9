"""Wiring of the gateway: the only module that knows all packages, and which service has which rpcs."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from typing import Any

from taskmanager.auth.v1 import (
    auth_service_pb2,
    security_event_service_pb2,
    service_account_service_pb2,
    token_service_pb2,
    token_service_pb2_grpc,
    user_service_pb2,
)
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_service_pb2

from chassis.lifecycle import run_in_background
from chassis.limits.rate_limit import AddressRateLimiter
from chassis.probes.dependency import (
    Check,
    Dependency,
    check_until_reached,
    run_checks,
)
from chassis.probes.http_server import serve_probes
from chassis.probes.process_status import ProcessStatus
from chassis.settings import Listen
from chassis.tls.reloader import CertificateReloader
from gateway.clients.token_exchange import TokenExchange
from gateway.clients.upstream import Upstream
from gateway.settings import GatewaySettings
from gateway.transcoding.contract import Rpc, read_rpcs
from gateway.transcoding.http.http_rules import parse_template
from gateway.transcoding.http.router import Router
from gateway.transcoding.json_codec.encoder import to_json
from gateway.transcoding.openapi.comments import Comments, parse_comments
from gateway.transcoding.openapi.document import build_document
from gateway.transport.app import build_app
from gateway.transport.cors.policy import CorsPolicy
from gateway.transport.docs.docs_page import docs_page
from gateway.transport.docs.openapi_info import OPENAPI_INFO
from gateway.transport.endpoints.health import Liveness, Readiness, Status
from gateway.transport.http.connection_limits import ConnectionLimits, OpenConnections
from gateway.transport.http.load_shed import LoadShedder
from gateway.transport.http.server import serve
from gateway.transport.request.authorization import CallAuthorizer
from gateway.transport.request.client_address import ClientAddressResolver
from gateway.transport.request.client_rate_limit import ClientRateLimit
from gateway.transport.request.concurrency_limit import ConcurrencyLimit
from gateway.transport.request.http_request import Endpoint
from gateway.transport.responses.static_response import StaticResponse
from gateway.transport.routes import EndpointFactory, Route
from gateway.transport.upload.endpoint import UPLOAD_OPTIONS, UPLOAD_RPCS

AUTH_SERVICES = (
    auth_service_pb2.DESCRIPTOR.services_by_name["AuthService"],
    user_service_pb2.DESCRIPTOR.services_by_name["UserService"],
    token_service_pb2.DESCRIPTOR.services_by_name["TokenService"],
    service_account_service_pb2.DESCRIPTOR.services_by_name["ServiceAccountService"],
    security_event_service_pb2.DESCRIPTOR.services_by_name["SecurityEventService"],
)
TASKS_SERVICES = (
    task_service_pb2.DESCRIPTOR.services_by_name["TaskService"],
    history_service_pb2.DESCRIPTOR.services_by_name["HistoryService"],
    import_service_pb2.DESCRIPTOR.services_by_name["ImportService"],
)


@asynccontextmanager
async def run_server(settings: GatewaySettings) -> AsyncIterator[Listen]:
    """Run the gateway and yield the address that it listens on.

    Raises:
        UnsupportedContract: the contract uses something that the gateway does not support.
        CannotListen: the address cannot be bound.

    """
    stopping = asyncio.Event()
    upstreams = _upstreams(settings)
    services = {Dependency(upstream.name): upstream for upstream in upstreams}
    checks: dict[Dependency, Check] = {service: upstream.check for service, upstream in services.items()}
    status = ProcessStatus("gateway", services)
    async with AsyncExitStack() as stack:
        stack.enter_context(serve_probes(settings.metrics_listen, status))
        limiter = AddressRateLimiter(
            per_minute=settings.public_calls_per_minute, storage_url=settings.rate_limit_storage_url.get_secret_value()
        )
        stack.push_async_callback(limiter.close)
        for upstream in upstreams:
            stack.push_async_callback(upstream.close)
        own_endpoints: dict[str, Endpoint] = {
            "/healthz": Liveness(),
            "/readyz": Readiness(status=status, services=tuple(services)),
            "/statusz": Status(status),
        }
        request_limit = ConcurrencyLimit(
            "request",
            max_concurrent=settings.max_concurrent_requests,
            max_queued=settings.max_queued_requests,
            queue_timeout_seconds=settings.queue_timeout_seconds,
        )
        router = build_router(
            upstreams=upstreams,
            settings=settings,
            limiter=limiter,
            request_limit=request_limit,
            stopping=stopping,
            own_endpoints=own_endpoints,
        )
        cors = CorsPolicy(settings.cors_origins) if settings.cors_origins else None
        address = await stack.enter_async_context(
            serve(
                build_app(router, cors, status, accept_traceparent=settings.accept_traceparent),
                listen=settings.listen,
                listen_fd=settings.listen_fd,
                limits=_connection_limits(settings),
                cors=cors,
                load_shedder=LoadShedder(request_limit, status),
                drain_seconds=settings.drain_seconds,
                stopping=stopping,
            )
        )
        await stack.enter_async_context(
            run_in_background(
                _become_ready(status, checks),
                run_checks(checks),
            )
        )
        stack.push_async_callback(_leave, status, settings.drain_delay_seconds)
        yield address


async def _become_ready(status: ProcessStatus, checks: Mapping[Dependency, Check]) -> None:
    """Set ready when each service has been reached once."""
    await asyncio.gather(*(check_until_reached(service, check) for service, check in checks.items()))
    status.set_ready()


async def _leave(status: ProcessStatus, drain_delay_seconds: float) -> None:
    """Report that this process stops, and go on serving for the drain delay, until load balancers have noticed."""
    was_ready = status.is_ready
    status.begin_drain()
    if was_ready:
        await asyncio.sleep(drain_delay_seconds)


def build_router(
    *,
    upstreams: Sequence[Upstream],
    settings: GatewaySettings,
    limiter: AddressRateLimiter,
    request_limit: ConcurrencyLimit,
    stopping: asyncio.Event,
    own_endpoints: Mapping[str, Endpoint],
) -> Router[Route]:
    """Build all routes: those of the rpcs, the gateway's own endpoints by path, and the documentation.

    auth_service is the first upstream.

    Raises:
        UnsupportedContract: the contract uses something that the gateway does not support.

    """
    rpcs = [rpc for upstream in upstreams for rpc in upstream.rpcs]
    auth_service = upstreams[0]
    exchange = TokenExchange(
        token_service_pb2_grpc.TokenServiceStub(auth_service.channel), timeout_seconds=settings.call_timeout_seconds
    )
    rate_limit = ClientRateLimit(limiter, ClientAddressResolver(settings.trusted_proxies))
    authorizer = CallAuthorizer(exchange, rate_limit)
    factory = EndpointFactory(
        rpcs=rpcs,
        settings=settings,
        authorizer=authorizer,
        rate_limit=rate_limit,
        request_limit=request_limit,
        stopping=stopping,
    )
    router: Router[Route] = Router()
    for upstream in upstreams:
        for rpc in upstream.rpcs:
            for binding in rpc.bindings:
                route = Route(binding.template.source, factory.create(upstream, rpc, binding))
                router.add(binding.http_method, binding.template, route)
    documents = {
        "/openapi.json": StaticResponse(to_json(build_openapi_document(rpcs)), b"application/json"),
        **docs_page(),
    }
    for path, endpoint in {**own_endpoints, **documents}.items():
        router.add("GET", parse_template(path), Route(path, endpoint))
    return router


def build_openapi_document(rpcs: Sequence[Rpc]) -> dict[str, Any]:
    """Build the OpenAPI document of the rpcs.

    Raises:
        UnsupportedContract: the contract uses something that the gateway does not support.

    """
    uploads = dict.fromkeys(UPLOAD_RPCS, UPLOAD_OPTIONS)
    return build_document(rpcs, uploads=uploads, comments=load_contract_comments(), info=OPENAPI_INFO)


def load_contract_comments() -> Comments:
    """Read the comments of the contract, which protos/generate writes beside the stubs; the stubs have none."""
    return parse_comments(files("taskmanager").joinpath("contract.binpb").read_bytes())


def _connection_limits(settings: GatewaySettings) -> ConnectionLimits:
    return ConnectionLimits(
        open_connections=OpenConnections(
            max_connections=settings.max_connections,
            max_per_address=settings.max_connections_per_address,
            trusted_peers=(*settings.trusted_peers, *settings.trusted_proxies),
        ),
        header_timeout_seconds=settings.header_timeout_seconds,
        send_timeout_seconds=settings.send_timeout_seconds,
        min_send_bytes=round(settings.send_timeout_seconds * settings.min_bytes_per_second),
    )


def _upstreams(settings: GatewaySettings) -> tuple[Upstream, ...]:
    certificates = CertificateReloader.from_files(settings.tls)
    return (
        Upstream(
            name="auth_service",
            target=settings.auth_target,
            rpcs=read_rpcs(AUTH_SERVICES),
            certificates=certificates,
            idempotent=["taskmanager.auth.v1.TokenService/ExchangeToken"],
        ),
        Upstream(
            name="task_service",
            target=settings.tasks_target,
            rpcs=read_rpcs(TASKS_SERVICES),
            certificates=certificates,
        ),
    )
