"""Background tasks of the running server: becoming ready, refreshing its own trust state, and cleaning up."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import structlog
from taskmanager.trust.v1 import trust_service_pb2

from auth_service.settings import AuthSettings
from auth_service.transport.translate import trust_state_to_proto
from auth_service.usecases.signing_keys import EnsureSigningKey
from auth_service.usecases.trust import GetTrustState
from chassis.database.connection_budget import warn_if_pool_does_not_fit
from chassis.database.pool import Pool
from chassis.database.schema_check import SchemaCheck
from chassis.database.switches import Switches
from chassis.kernel.errors import Unavailable
from chassis.periodic import run_periodically
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
    database: Awaitable[None],
    schema_check: SchemaCheck,
    switches: Switches,
    ensure_signing_key: EnsureSigningKey,
    poller: TrustPoller,
) -> None:
    """Wait for a migrated database and a signing key, accept calls, and refresh the trust state from then on."""
    await database
    await schema_check.wait_until_migrated()
    await switches.known.wait()
    if settings.database_prepared_statements:  # a pooler has its own limits
        await warn_if_pool_does_not_fit(settings.database_url.get_secret_value(), pool)
    while not poller.first_response.is_set():
        try:
            await ensure_signing_key()
        except (Unavailable, psycopg.Error) as error:
            log.warning("can't read the signing keys", error=str(error.__cause__ or error))
            await asyncio.sleep(STARTUP_RETRY_SECONDS)
        else:
            await poller.poll()
    await server.set_ready()
    await poller.run()


async def clean_up(ready: asyncio.Event, delete_expired: Callable[[], Awaitable[int]]) -> None:
    """Delete expired rows once a minute, after the server has become ready."""
    await ready.wait()
    await run_periodically(delete_expired, interval=CLEANUP_INTERVAL_SECONDS)


def trust_state_fetcher(get_trust_state: GetTrustState) -> Fetch:
    """Return a function that reads the trust state locally. Other services call TrustService for it."""

    async def fetch(cursor: str) -> trust_service_pb2.TrustState:
        return trust_state_to_proto(await get_trust_state(cursor))

    return fetch
