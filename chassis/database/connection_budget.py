"""Warning at the start of a process whose pool does not fit into the connections that the server has left."""

from contextlib import suppress

import psycopg
import structlog

from chassis.database.connection import TimeLimitedConnection, connection_options

# max_connections includes the connections that only superusers, or members of a role, can use.
_FREE_CONNECTIONS = """
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0)
        - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())
"""

log = structlog.get_logger("database")


async def warn_if_pool_does_not_fit(url: str, *, connections: int) -> None:
    """Log a warning if the process can need more connections than are free. Do nothing if the database is down."""
    options = connection_options("connection budget", prepared_statements=False)
    with suppress(psycopg.Error):
        async with await TimeLimitedConnection.connect(url, **options) as connection:
            row = await (await connection.execute(_FREE_CONNECTIONS)).fetchone()
            if row is not None and connections > row[0]:
                log.warning(
                    "the database has too few free connections for this process: lower …_DATABASE_POOL_SIZE, or raise"
                    " max_connections",
                    needed=connections,
                    free=row[0],
                )
