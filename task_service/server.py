"""The running service: its ports, its readiness and its background loops."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from chassis.database.connection_budget import warn_if_pool_does_not_fit
from chassis.database.pool import Pool, open_pool
from chassis.database.revisions import RevisionHistory
from chassis.database.schema_check import SchemaCheck
from chassis.database.statistics import RefreshStatistics
from chassis.database.switches import POLL_INTERVAL_SECONDS as SWITCH_INTERVAL_SECONDS
from chassis.database.switches import PollSwitches, Switches
from chassis.lifecycle import run_in_background
from chassis.limits.load_shed import Capacity
from chassis.periodic import run_periodically
from chassis.probes.dependency import Check, Dependency, require_dependency, run_checks
from chassis.probes.http_server import serve_probes
from chassis.probes.process_status import ProcessStatus
from chassis.rpc.server import GrpcServer
from chassis.rpc.servers import GrpcServers
from chassis.rpc.trust import TrustPoller, TrustState
from chassis.tls.reloader import CertificateReloader
from chassis.tokens import TokenVerifier
from task_service.bootstrap import history_use_cases, tasks_use_cases
from task_service.clients.auth import AuthClient, auth_client
from task_service.clients.fair_user_lookup import FairUserLookup
from task_service.clients.user_directory import CachedUserDirectory
from task_service.connections import caller_key, share_connections
from task_service.history.usecases.use_cases import HistoryUseCases
from task_service.imports.bootstrap import WakeEvents, imports_use_cases
from task_service.imports.clients.object_store import ObstoreObjectStore
from task_service.imports.clients.worker_notifier import CeleryWorkerNotifier
from task_service.imports.persistence.notifications import PostgresNotifications
from task_service.imports.usecases.use_cases import ImportsUseCases
from task_service.persistence.schema import MIGRATIONS
from task_service.persistence.tables import IMPORTED_TABLES
from task_service.registrations import STATUS, create_registrations
from task_service.settings import TasksSettings
from task_service.switches import IMPORTS_PAUSED, SWITCHES
from task_service.tasks.usecases.use_cases import TasksUseCases

POLL_INTERVAL_SECONDS = 1.0
"""Interval of dispatch and undo. A notification starts them earlier."""
CLEANUP_INTERVAL_SECONDS = 60.0
STATISTICS_INTERVAL_SECONDS = 5.0
"""Interval at which tables that grow fast, by imports, get new statistics."""
MEASURE_INTERVAL_SECONDS = 5.0
"""Interval of the query for the metrics of the queue."""
LISTEN_CONNECTIONS = 1
"""Connections beside the pool, for notifications."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clients:
    """Clients of the servers that this service needs."""

    pool: Pool
    auth: AuthClient
    notifier: CeleryWorkerNotifier
    notifications: PostgresNotifications
    store: ObstoreObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class _UseCases:
    """Use cases of every context."""

    tasks: TasksUseCases
    history: HistoryUseCases
    imports: ImportsUseCases


@asynccontextmanager
async def run_server(settings: TasksSettings) -> AsyncIterator[GrpcServers]:
    """Run the service. It becomes ready when the first trust state was received."""
    certificates = CertificateReloader.from_files(settings.tls)
    draining = asyncio.Event()
    database, auth_service, redis, object_store = map(Dependency, ("database", "auth_service", "redis", "object_store"))
    status = ProcessStatus("task_service", [database, auth_service, redis, object_store])
    schema_check = SchemaCheck(
        settings.database_url.get_secret_value(), RevisionHistory(settings.database_schema, MIGRATIONS), status
    )
    async with AsyncExitStack() as stack:
        stack.enter_context(serve_probes(settings.metrics_listen, status))
        clients = await stack.enter_async_context(_open_clients(settings, certificates))
        trust = TrustState()
        poller = TrustPoller(state=trust, fetch=auth_service.observe(clients.auth.get_trust_state))
        switches = Switches(tuple(SWITCHES), status)
        wake = WakeEvents(queued=asyncio.Event(), undo_requested=asyncio.Event())
        use_cases = _create_use_cases(settings, clients, switches=switches, wake=wake, draining=draining)
        server = _create_servers(settings, use_cases, trust=trust, certificates=certificates, status=status)
        await server.start()
        checks: dict[Dependency, Check] = {
            database: schema_check,
            redis: clients.notifier.ping,
            object_store: clients.store.check,
        }
        variables = {database: "TASKS_DATABASE_URL", redis: "TASKS_REDIS_URL", object_store: "TASKS_STORE_URL"}
        required = [
            require_dependency(each, check, variable=variables[each], timeout_seconds=settings.start_timeout_seconds)
            for each, check in checks.items()
        ]
        await stack.enter_async_context(
            run_in_background(
                poller.run(),
                run_checks(checks),
                *_background_loops(settings, clients, use_cases, switches=switches, wake=wake),
                _become_ready(
                    settings,
                    clients.pool,
                    server,
                    required=required,
                    schema_check=schema_check,
                    switches=switches,
                    poller=poller,
                ),
            )
        )
        stack.push_async_callback(server.stop)
        stack.callback(draining.set)
        yield server


@asynccontextmanager
async def _open_clients(settings: TasksSettings, certificates: CertificateReloader | None) -> AsyncIterator[_Clients]:
    async with (
        open_pool(
            settings.database_url.get_secret_value(),
            name="task_service",
            size=settings.database_pool_size,
            prepared_statements=settings.database_prepared_statements,
        ) as pool,
        auth_client(
            settings.auth_target, settings.auth_credential.get_secret_value(), certificates=certificates
        ) as auth,
    ):
        with closing(CeleryWorkerNotifier(settings.redis_url.get_secret_value())) as notifier:
            yield _Clients(
                pool=pool,
                auth=auth,
                notifier=notifier,
                notifications=PostgresNotifications(settings.notifications_url),
                store=ObstoreObjectStore(settings.store_url),
            )


def _create_use_cases(
    settings: TasksSettings, clients: _Clients, *, switches: Switches, wake: WakeEvents, draining: asyncio.Event
) -> _UseCases:
    connections = share_connections(clients.pool, size=settings.database_pool_size, switches=switches)
    users = CachedUserDirectory(FairUserLookup(clients.auth, caller_key=caller_key))
    tasks = tasks_use_cases(settings, connections, users)
    return _UseCases(
        tasks=tasks,
        history=history_use_cases(connections, tasks.list_task_events, draining),
        imports=imports_use_cases(
            settings,
            connections,
            users=users,
            store=clients.store,
            notifications=clients.notifications,
            notifier=clients.notifier,
            wake=wake,
            is_draining=draining.is_set,
            is_paused=partial(switches.is_on, IMPORTS_PAUSED),
        ),
    )


def _background_loops(
    settings: TasksSettings, clients: _Clients, use_cases: _UseCases, *, switches: Switches, wake: WakeEvents
) -> Sequence[Coroutine[Any, Any, None]]:
    tasks, history, imports = use_cases.tasks, use_cases.history, use_cases.imports
    poll_switches = PollSwitches(clients.pool, settings.database_schema, switches)
    refresh_statistics = RefreshStatistics(clients.pool, IMPORTED_TABLES)
    every_minute = partial(run_periodically, interval=CLEANUP_INTERVAL_SECONDS)
    return (
        clients.notifications.run(),
        run_periodically(poll_switches, interval=SWITCH_INTERVAL_SECONDS),
        run_periodically(imports.notify_workers, interval=POLL_INTERVAL_SECONDS, wake=wake.queued),
        run_periodically(imports.measure_queue, interval=MEASURE_INTERVAL_SECONDS),
        run_periodically(imports.run_undos, interval=POLL_INTERVAL_SECONDS, wake=wake.undo_requested),
        run_periodically(history.append_blocks, interval=settings.block_interval_seconds),
        run_periodically(refresh_statistics, interval=STATISTICS_INTERVAL_SECONDS),
        every_minute(imports.delete_abandoned_uploads),
        every_minute(imports.delete_expired_uploads),
        every_minute(imports.delete_dry_run_state),
        every_minute(tasks.empty_trash),
        every_minute(tasks.delete_expired_idempotency_records),
    )


def _create_servers(
    settings: TasksSettings,
    use_cases: _UseCases,
    *,
    trust: TrustState,
    certificates: CertificateReloader | None,
    status: ProcessStatus,
) -> GrpcServers:
    create = partial(
        GrpcServer,
        registrations=create_registrations(
            settings, tasks=use_cases.tasks, history=use_cases.history, imports=use_cases.imports
        ),
        verifier=TokenVerifier(trust=trust, issuer=settings.token_issuer, audience=settings.token_audience),
        status=STATUS,
        with_reflection=settings.reflection,
        drain_seconds=settings.drain_seconds,
        request_timeout_seconds=settings.request_timeout_seconds,
        certificates=certificates,
        capacity=Capacity(
            max_concurrent_calls=settings.max_concurrent_calls,
            max_concurrent_streams=settings.max_concurrent_streams,
            max_streams_per_caller=settings.max_streams_per_caller,
        ),
    )
    return GrpcServers(
        public=create(listen=settings.listen, with_internal_rpcs=settings.internal_listen is None),
        internal=create(listen=settings.internal_listen) if settings.internal_listen else None,
        status=status,
        drain_delay_seconds=settings.drain_delay_seconds,
    )


async def _become_ready(
    settings: TasksSettings,
    pool: Pool,
    server: GrpcServers,
    *,
    required: Iterable[Coroutine[Any, Any, None]],
    schema_check: SchemaCheck,
    switches: Switches,
    poller: TrustPoller,
) -> None:
    """Set ready when every dependency has responded, the schema is migrated, and switches and trust state are known."""
    results = await asyncio.gather(*required, return_exceptions=True)
    if problems := [result for result in results if isinstance(result, Exception)]:
        raise ExceptionGroup("dependencies do not respond", problems)
    await schema_check.wait_until_migrated()
    await switches.known.wait()
    if settings.database_prepared_statements:  # a pooler has its own limits
        await warn_if_pool_does_not_fit(settings.database_url.get_secret_value(), pool, others=LISTEN_CONNECTIONS)
    await poller.first_response.wait()
    await server.set_ready()
