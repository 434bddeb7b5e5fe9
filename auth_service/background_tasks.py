"""Background tasks of the running server: becoming ready, refreshing its own trust state, and cleaning up."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

import psycopg
import structlog
from taskmanager.trust.v1 import trust_service_pb2

from auth_service.settings import AuthSettings
from auth_service.transport.translate import trust_state_to_proto
from auth_service.usecases.signing_keys import EnsureSigningKey
from auth_service.usecases.trust import GetTrustState
from auth_service.usecases.use_cases import UseCases
from chassis.database.connection_budget import warn_if_pool_does_not_fit
from chassis.database.pool import Pool
from chassis.database.schema_check import SchemaCheck
from chassis.database.switches import POLL_INTERVAL_SECONDS as SWITCH_INTERVAL_SECONDS
from chassis.database.switches import PollSwitches, Switches
from chassis.kernel.errors import Unavailable
from chassis.logs import cause_of, describe_error
from chassis.periodic import run_periodically
from chassis.probes.dependency import Check, Dependency, require_all
from chassis.rpc.servers import GrpcServers
from chassis.rpc.trust import Fetch, TrustPoller

STARTUP_RETRY_SECONDS = 1.0
CLEANUP_INTERVAL_SECONDS = 60.0

log = structlog.get_logger("background_tasks")


async def become_ready(
    settings: AuthSettings,
    pool: Pool,
    server: GrpcServers,
    *,
    checks: Mapping[Dependency, Check],
    variables: Mapping[Dependency, str],
    schema_check: SchemaCheck,
    switches: Switches,
    ensure_signing_key: EnsureSigningKey,
    poller: TrustPoller,
) -> None:
    """Wait for a migrated database and a signing key, accept calls, and refresh the trust state from then on."""
    await require_all(checks, variables, timeout_seconds=settings.start_timeout_seconds)
    await schema_check.wait_until_migrated()
    await switches.known.wait()
    if settings.database_prepared_statements:  # a pooler has its own limits
        await warn_if_pool_does_not_fit(settings.database_url.get_secret_value(), pool)
    while not poller.first_response.is_set():
        try:
            await ensure_signing_key()
        except (Unavailable, psycopg.Error) as error:
            cause = cause_of(error)
            log.warning("can't read the signing keys", error=type(cause).__name__, cause=describe_error(cause))
            await asyncio.sleep(STARTUP_RETRY_SECONDS)
        else:
            await poller.poll()
    await server.set_ready()
    await poller.run()


def background_loops(
    settings: AuthSettings, pool: Pool, use_cases: UseCases, *, ready: asyncio.Event, switches: Switches
) -> Sequence[Coroutine[Any, Any, None]]:
    """Return the loops that run beside the servers."""
    operators = use_cases.operators
    return (
        run_periodically(PollSwitches(pool, settings.database_schema, switches), interval=SWITCH_INTERVAL_SECONDS),
        _clean_up(ready, operators.delete_expired_records),
        _clean_up(ready, operators.delete_expired_events),
    )


async def _clean_up(ready: asyncio.Event, delete_expired: Callable[[], Awaitable[int]]) -> None:
    """Delete expired rows once a minute, after the server has become ready."""
    await ready.wait()
    await run_periodically(delete_expired, interval=CLEANUP_INTERVAL_SECONDS)


def trust_state_fetcher(get_trust_state: GetTrustState) -> Fetch:
    """Return a function that reads the trust state locally. Other services call TrustService for it."""

    async def fetch(cursor: str) -> trust_service_pb2.TrustState:
        return trust_state_to_proto(await get_trust_state(cursor))

    return fetch
