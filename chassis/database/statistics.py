"""Refresh of the planner's statistics of tables that grow fast.

Autovacuum looks at a database once a minute by default. Until then the planner knows nothing of the rows that an import
has added, and can choose a plan that reads all of them.
"""

from collections.abc import Sequence
from typing import LiteralString

import structlog
from psycopg import sql

from chassis.database.fair_pool import Connections
from chassis.database.unit_of_work import SqlUnitOfWork

MIN_CHANGED_ROWS = 1_000
"""Changes of a smaller table do not matter: every plan for it is fast."""

# n_mod_since_analyze counts the rows that were inserted, updated or deleted since the last ANALYZE. A second has to
# pass before a backend reports its changes.
_FIND_OUTDATED: LiteralString = """
    SELECT table_.relname FROM pg_stat_user_tables AS table_
    WHERE table_.relid = ANY (SELECT CAST(name AS regclass) FROM unnest(%(tables)s::text[]) AS name)
        AND n_mod_since_analyze > greatest(%(min_rows)s, n_live_tup / 10)
    ORDER BY table_.relname
"""
_LOCK: LiteralString = "SELECT pg_try_advisory_xact_lock(hashtextextended('statistics ' || current_schema, 0))"

log = structlog.get_logger("statistics")


class RefreshStatistics:
    """Background work that analyzes tables of which more than a tenth of the rows has changed.

    One process at a time does it. A table that somebody has locked waits for the next run. The role of the service
    needs the right MAINTAIN on the tables.
    """

    def __init__(
        self, connections: Connections, tables: Sequence[str], min_changed_rows: int = MIN_CHANGED_ROWS
    ) -> None:
        self._connections = connections
        self._tables = list(tables)
        self._min_changed_rows = min_changed_rows

    async def __call__(self) -> list[str]:
        """Return the names of the analyzed tables."""
        async with _Session(self._connections) as session:
            outdated = await session.find_outdated(self._tables, self._min_changed_rows)
            if not outdated or not await session.try_lock():
                return []
            for table in outdated:
                await session.analyze(table)
            await session.commit()
        log.info("statistics refreshed", tables=outdated)
        return outdated


class _Session(SqlUnitOfWork):
    async def find_outdated(self, tables: Sequence[str], min_rows: int) -> list[str]:
        values = {"tables": list(tables), "min_rows": min_rows}
        cursor = await self.connection.execute(_FIND_OUTDATED, values)
        return [name for (name,) in await cursor.fetchall()]

    async def try_lock(self) -> bool:
        row = await (await self.connection.execute(_LOCK)).fetchone()
        return row is not None and bool(row[0])

    async def analyze(self, table: str) -> None:
        await self.connection.execute(sql.SQL("ANALYZE (SKIP_LOCKED) {}").format(sql.Identifier(table)))
