"""The running service: its ports, its readiness and its background loops."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from auth_service.background_tasks import background_loops, become_ready, trust_state_fetcher
from auth_service.bootstrap import create_use_cases
from auth_service.persistence.schema import MIGRATIONS
from auth_service.registrations import create_registrations
from auth_service.resources import open_resources
from auth_service.settings import AuthSettings
from auth_service.switches import SWITCHES
from auth_service.transport.status import STATUS
from chassis.database.revisions import RevisionHistory
from chassis.database.schema_check import SchemaCheck
from chassis.database.switches import Switches, WritableConnections
from chassis.lifecycle import run_in_background
from chassis.limits.load_shed import DEFAULT_CAPACITY
from chassis.limits.rate_limit import AddressRateLimiter
from chassis.limits.rate_limit_interceptor import RateLimitInterceptor
from chassis.probes.dependency import Check, Dependency, run_checks
from chassis.probes.http_server import serve_probes
from chassis.probes.process_status import ProcessStatus
from chassis.rpc.access import public_methods
from chassis.rpc.server import Registration
from chassis.rpc.servers import GrpcServers
from chassis.rpc.trust import TrustPoller, TrustState
from chassis.tls.reloader import CertificateReloader


@asynccontextmanager
async def run_server(settings: AuthSettings) -> AsyncIterator[GrpcServers]:
    """Run the service. It becomes ready when the database responds and a signing key exists.

    Raises:
        CannotListen: the service cannot listen on the address.
        WrongEncryptionKey: the signing keys cannot be decrypted. It is raised in an exception group, because it only
            shows when the database responds.

    """
    url = settings.database_url.get_secret_value()
    database = Dependency("database")
    status = ProcessStatus("auth_service", [database])
    switches = Switches(tuple(SWITCHES), status)
    state = TrustState()
    async with AsyncExitStack() as stack:
        stack.enter_context(serve_probes(settings.metrics_listen, status))
        resources = await stack.enter_async_context(open_resources(settings))
        pool = resources.pool
        use_cases = create_use_cases(
            settings, reads=pool, writes=WritableConnections(pool, switches), hasher=resources.hasher
        )
        poller = TrustPoller(state=state, fetch=trust_state_fetcher(use_cases.get_trust_state))
        server = _create_servers(settings, create_registrations(use_cases), state, status)
        await server.start()
        schema_check = SchemaCheck(url, RevisionHistory(settings.database_schema, MIGRATIONS), status)
        checks: dict[Dependency, Check] = {database: schema_check}
        await stack.enter_async_context(
            run_in_background(
                run_checks(checks),
                *background_loops(settings, pool, use_cases, ready=server.is_ready, switches=switches),
                become_ready(
                    settings,
                    pool,
                    server,
                    checks=checks,
                    variables={database: "AUTH_DATABASE_URL"},
                    schema_check=schema_check,
                    switches=switches,
                    ensure_signing_key=use_cases.operators.ensure_signing_key,
                    poller=poller,
                ),
            )
        )
        stack.push_async_callback(server.stop)
        yield server


def _create_servers(
    settings: AuthSettings, registrations: Sequence[Registration], trust: TrustState, status: ProcessStatus
) -> GrpcServers:
    rate_limit = RateLimitInterceptor(
        limiter=AddressRateLimiter(per_minute=settings.public_calls_per_minute, storage_url="memory://"),
        methods=public_methods(registration.descriptor for registration in registrations),
        trusted=() if settings.internal_listen else settings.trusted_peers,
    )
    return GrpcServers.from_settings(
        settings,
        registrations=registrations,
        statuses=STATUS,
        trust=trust,
        certificates=CertificateReloader.from_files(settings.tls),
        capacity=replace(DEFAULT_CAPACITY, max_concurrent_calls=settings.max_concurrent_calls),
        process_status=status,
        public_interceptors=[rate_limit],
    )
