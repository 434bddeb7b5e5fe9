"""The running gateway: its port, its readiness and its background loops."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from chassis.lifecycle import run_in_background
from chassis.limits.rate_limit import AddressRateLimiter
from chassis.probes.dependency import Check, Dependency, check_until_reached, run_checks
from chassis.probes.http_server import serve_probes
from chassis.probes.process_status import ProcessStatus
from chassis.settings import Listen
from gateway.bootstrap import PATH_SYNONYMS, build_router, create_upstreams
from gateway.settings import GatewaySettings
from gateway.transcoding.http.path_suggestions import PathSuggestions
from gateway.transcoding.http.router import Router
from gateway.transport.app import build_app
from gateway.transport.cors.policy import CorsPolicy
from gateway.transport.endpoints.health import Liveness, Readiness, Status
from gateway.transport.http.connection_limits import ConnectionLimits, OpenConnections
from gateway.transport.http.load_shed import LoadShedder
from gateway.transport.http.server import serve
from gateway.transport.request.concurrency_limit import ConcurrencyLimit
from gateway.transport.request.http_request import Endpoint
from gateway.transport.routes import Route


@asynccontextmanager
async def run_server(settings: GatewaySettings) -> AsyncIterator[Listen]:
    """Run the gateway and yield the address that it listens on.

    Raises:
        UnsupportedContract: the contract uses something that the gateway does not support.
        CannotListen: the address cannot be bound.

    """
    stopping = asyncio.Event()
    upstreams = create_upstreams(settings)
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
        request_limit = _create_request_limit(settings)
        router = build_router(
            upstreams=upstreams,
            settings=settings,
            limiter=limiter,
            request_limit=request_limit,
            stopping=stopping,
            own_endpoints=_own_endpoints(status, services),
        )
        address = await stack.enter_async_context(
            _serve(settings, router, request_limit=request_limit, status=status, stopping=stopping)
        )
        await stack.enter_async_context(run_in_background(_become_ready(status, checks), run_checks(checks)))
        stack.push_async_callback(_leave, status, settings.drain_delay_seconds)
        yield address


def _own_endpoints(status: ProcessStatus, services: Iterable[Dependency]) -> Mapping[str, Endpoint]:
    return {
        "/healthz": Liveness(),
        "/readyz": Readiness(status=status, services=tuple(services)),
        "/statusz": Status(status),
    }


def _create_request_limit(settings: GatewaySettings) -> ConcurrencyLimit:
    return ConcurrencyLimit(
        max_concurrent=settings.max_concurrent_requests,
        max_queued=settings.max_queued_requests,
        queue_timeout_seconds=settings.queue_timeout_seconds,
        max_active_per_caller=settings.max_active_requests_per_caller,
    )


def _serve(
    settings: GatewaySettings,
    router: Router[Route],
    *,
    request_limit: ConcurrencyLimit,
    status: ProcessStatus,
    stopping: asyncio.Event,
) -> AbstractAsyncContextManager[Listen]:
    suggestions = PathSuggestions(router.templates, PATH_SYNONYMS)
    cors = CorsPolicy(settings.cors_origins) if settings.cors_origins else None
    return serve(
        build_app(router, suggestions, cors, status, accept_traceparent=settings.accept_traceparent),
        listen=settings.listen,
        listen_fd=settings.listen_fd,
        limits=_connection_limits(settings),
        cors=cors,
        load_shedder=LoadShedder(request_limit, status),
        drain_seconds=settings.drain_seconds,
        stopping=stopping,
    )


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
