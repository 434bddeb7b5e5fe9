"""Statistics of tables that grow fast."""

import psycopg

from chassis.database.pool import open_pool
from chassis.database.statistics import RefreshStatistics
from task_service.persistence.tables import IMPORTED_TABLES
from tests.support.database import Database

INSERT = """
    INSERT INTO tasks.tasks (id, owner_id, title, description, status, priority, created_at, updated_at, revision)
    SELECT uuidv7(), uuidv7(), 'x', '', 'pending', 'none', now(), now(), 1 FROM generate_series(1, %s)
"""


def add_tasks(database: Database, count: int) -> None:
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute(INSERT, [count])  # the end of the session reports its changes
    database.rows("SELECT pg_stat_force_next_flush()")


async def refresh(database: Database, *, tables: tuple[str, ...] = IMPORTED_TABLES) -> list[str]:
    async with open_pool(database.tasks_url, name="test", size=1) as pool:
        return await RefreshStatistics(pool, tables, min_changed_rows=50)()


def estimated_rows(database: Database) -> float:
    return database.rows("SELECT reltuples FROM pg_class WHERE oid = 'tasks.tasks'::regclass")[0][0]


async def test_growth_by_a_tenth_refreshes_statistics(database):
    """A table is analyzed when more than a tenth of its rows is new, and not again until the next tenth."""
    add_tasks(database, 1000)
    assert await refresh(database) == ["tasks"]
    assert estimated_rows(database) == 1000
    add_tasks(database, 90)
    assert await refresh(database) == []
    add_tasks(database, 50)
    assert await refresh(database) == ["tasks"]
    assert estimated_rows(database) == 1140


async def test_small_tables_are_left_alone(database):
    """Few changes are no reason for new statistics, however small the table is."""
    add_tasks(database, 40)
    assert await refresh(database) == []


async def test_service_may_analyze_all_imported_tables(database):
    """The migrations grant the right for each table. Without it ANALYZE skips the table with a warning."""
    for table in IMPORTED_TABLES:
        [(allowed,)] = database.rows("SELECT has_table_privilege('tasks_app', %s, 'MAINTAIN')", f"tasks.{table}")
        assert allowed, table


async def test_one_process_at_a_time_refreshes(database):
    """A process that finds the lock taken leaves the work to the other one."""
    add_tasks(database, 1000)
    with psycopg.connect(database.tasks_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('statistics tasks', 0))")
        assert await refresh(database) == []
    assert await refresh(database) == ["tasks"]


async def test_a_locked_table_delays_nobody(database):
    """A table that a migration has locked is skipped, and analyzed by a later run."""
    add_tasks(database, 1000)
    with psycopg.connect(database.administrator_url) as other:
        other.execute("LOCK TABLE tasks.tasks IN SHARE UPDATE EXCLUSIVE MODE")
        await refresh(database)
        assert estimated_rows(database) != 1000
    await refresh(database)
    assert estimated_rows(database) == 1000
