"""Background tasks of the running server: becoming ready, the loops of the use cases, and cleaning up."""

from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from chassis.database.connection_budget import warn_if_pool_does_not_fit
from chassis.database.pool import Pool
from chassis.database.schema_check import SchemaCheck
from chassis.database.statistics import RefreshStatistics
from chassis.database.switches import POLL_INTERVAL_SECONDS as SWITCH_INTERVAL_SECONDS
from chassis.database.switches import PollSwitches, Switches
from chassis.periodic import run_periodically
from chassis.probes.dependency import Check, Dependency, require_all
from chassis.rpc.servers import GrpcServers
from chassis.rpc.trust import TrustPoller
from task_service.bootstrap import UseCases
from task_service.imports.bootstrap import WakeEvents
from task_service.persistence.tables import IMPORTED_TABLES
from task_service.resources import Resources
from task_service.settings import TasksSettings

POLL_INTERVAL_SECONDS = 1.0
"""Interval of dispatch and undo. A notification starts them earlier."""
CLEANUP_INTERVAL_SECONDS = 60.0
STATISTICS_INTERVAL_SECONDS = 5.0
"""Interval at which tables that grow fast, by imports, get new statistics."""
MEASURE_INTERVAL_SECONDS = 5.0
"""Interval of the query for the metrics of the queue."""
LISTEN_CONNECTIONS = 1
"""Connections beside the pool, for notifications."""


async def become_ready(
    settings: TasksSettings,
    pool: Pool,
    server: GrpcServers,
    *,
    checks: Mapping[Dependency, Check],
    variables: Mapping[Dependency, str],
    schema_check: SchemaCheck,
    switches: Switches,
    poller: TrustPoller,
) -> None:
    """Set ready when every dependency has responded, the schema is migrated, and switches and trust state are known."""
    await require_all(checks, variables, timeout_seconds=settings.start_timeout_seconds)
    await schema_check.wait_until_migrated()
    await switches.known.wait()
    if settings.database_prepared_statements:  # a pooler has its own limits
        await warn_if_pool_does_not_fit(settings.database_url.get_secret_value(), pool, others=LISTEN_CONNECTIONS)
    await poller.first_response.wait()
    await server.set_ready()


def background_loops(
    settings: TasksSettings, resources: Resources, use_cases: UseCases, *, switches: Switches, wake: WakeEvents
) -> Sequence[Coroutine[Any, Any, None]]:
    """Return the loops that run beside the servers."""
    tasks, history, imports = use_cases.tasks, use_cases.history, use_cases.imports
    poll_switches = PollSwitches(resources.pool, settings.database_schema, switches)
    refresh_statistics = RefreshStatistics(resources.pool, IMPORTED_TABLES)
    every_minute = partial(run_periodically, interval=CLEANUP_INTERVAL_SECONDS)
    return (
        resources.notifications.run(),
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
