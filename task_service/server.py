"""The running service: its ports, its readiness and its background loops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from chassis.database.revisions import RevisionHistory
from chassis.database.schema_check import SchemaCheck
from chassis.database.switches import Switches
from chassis.lifecycle import run_in_background
from chassis.limits.load_shed import Capacity
from chassis.probes.dependency import Check, Dependency, run_checks
from chassis.probes.http_server import serve_probes
from chassis.probes.process_status import ProcessStatus
from chassis.rpc.servers import GrpcServers
from chassis.rpc.trust import TrustPoller, TrustState
from chassis.tls.reloader import CertificateReloader
from task_service.background_tasks import background_loops, become_ready
from task_service.bootstrap import create_use_cases
from task_service.imports.bootstrap import WakeEvents
from task_service.persistence.schema import MIGRATIONS
from task_service.registrations import STATUS, create_registrations
from task_service.resources import open_resources
from task_service.settings import TasksSettings
from task_service.switches import SWITCHES


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
        resources = await stack.enter_async_context(open_resources(settings, certificates))
        trust = TrustState()
        poller = TrustPoller(state=trust, fetch=auth_service.observe(resources.auth.get_trust_state))
        switches = Switches(tuple(SWITCHES), status)
        wake = WakeEvents(queued=asyncio.Event(), undo_requested=asyncio.Event())
        use_cases = create_use_cases(settings, resources, switches=switches, wake=wake, draining=draining)
        server = GrpcServers.from_settings(
            settings,
            registrations=create_registrations(settings, use_cases),
            statuses=STATUS,
            trust=trust,
            certificates=certificates,
            capacity=Capacity(
                max_concurrent_calls=settings.max_concurrent_calls,
                max_concurrent_streams=settings.max_concurrent_streams,
                max_streams_per_caller=settings.max_streams_per_caller,
            ),
            process_status=status,
        )
        await server.start()
        checks: dict[Dependency, Check] = {
            database: schema_check,
            redis: resources.notifier.ping,
            object_store: resources.store.check,
        }
        variables = {database: "TASKS_DATABASE_URL", redis: "TASKS_REDIS_URL", object_store: "TASKS_STORE_URL"}
        await stack.enter_async_context(
            run_in_background(
                poller.run(),
                run_checks(checks),
                *background_loops(settings, resources, use_cases, switches=switches, wake=wake),
                become_ready(
                    settings,
                    resources.pool,
                    server,
                    checks=checks,
                    variables=variables,
                    schema_check=schema_check,
                    switches=switches,
                    poller=poller,
                ),
            )
        )
        stack.push_async_callback(server.stop)
        stack.callback(draining.set)
        yield server
