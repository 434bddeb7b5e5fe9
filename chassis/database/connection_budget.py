"""Warning at the start of a process whose pool does not fit into the connections that the server has left."""

from contextlib import suppress

import psycopg
import structlog

from chassis.database.connection import TimeLimitedConnection, connection_options
from chassis.database.pool import Pool

# max_connections includes the connections that only superusers, or members of a role, can use.
_FREE_CONNECTIONS = """
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0)
        - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())
"""

log = structlog.get_logger("database")


async def warn_if_pool_does_not_fit(url: str, pool: Pool, *, others: int = 0) -> None:
    """Log a warning if the process can need more connections than are free. Do nothing if the database is down.

    `others` are connections of the process beside the pool.
    """
    options = connection_options("connection budget", prepared_statements=False)
    with suppress(psycopg.Error):
        async with await TimeLimitedConnection.connect(url, **options) as connection:
            row = await (await connection.execute(_FREE_CONNECTIONS)).fetchone()
            # The server counts the open connections of this process, too.
            needed = pool.max_size - pool.get_stats()["pool_size"] + others
            if row is not None and needed > row[0]:
                log.warning(
                    "the database has too few free connections for this process: lower …_DATABASE_POOL_SIZE, or raise"
                    " max_connections",
                    needed=needed,
                    free=row[0],
                )
