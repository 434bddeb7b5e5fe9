"""Query plans of a user's events: their cost does not grow with the events of others."""

from typing import Any, Self
from uuid import UUID

import psycopg
import pytest

from chassis.testing.database import temporary_database
from task_service.history.domain.event_log import LOG_START, EventQuery, LogPosition
from task_service.history.persistence.event_log import SqlEventLog
from tests.support.database import SEARCH_PATH

USER = UUID(int=0xAAAA)
OTHERS, OWN = 100_000, 400
MAX_BLOCKS = 200
"""Blocks that may be read for 51 events: a heap block for each, and the paths through three indexes."""


# The others are seven people, so that statistics say that a user has a seventh of the log.
INSERT = """
    INSERT INTO tasks.task_events (id, task_id, owner_id, assignee_id, changes, transaction_number, revision,
        action, actor_id, actor_role, occurred_at, request_id)
    SELECT uuidv7(), uuidv7(), owner_id, assignee_id,
        jsonb_build_object('assignee_id', jsonb_build_array(former, '')), number, 2,
        'updated', uuidv7(), 'user', now(), 'r'
"""
EVENTS_OF_OTHERS = f"""
    FROM generate_series(1, {OTHERS}) number, lateral (SELECT lpad(to_hex(number % 7), 32, '0')::uuid AS person) one,
        lateral (
            SELECT person AS owner_id, CASE WHEN number % 5 = 0 THEN person END AS assignee_id,
                CASE WHEN number % 5 = 1 THEN person END AS former
        ) people
"""
OWN_EVENTS = f"""
    FROM generate_series({OTHERS + 1}, {OTHERS + OWN}) number,
        lateral (
            SELECT CASE WHEN number % 3 = 0 THEN '{USER}' ELSE uuidv7() END AS owner_id,
                CASE WHEN number % 3 = 1 THEN '{USER}'::uuid END AS assignee_id,
                CASE WHEN number % 3 = 2 THEN '{USER}' END AS former
        ) people
"""


@pytest.fixture(scope="module")
def large_log(postgres, template):
    """URL of a database with 100,000 events of others, and 400 that the user may see, the last ones of the log."""
    with temporary_database(postgres, template=template) as url:
        with psycopg.connect(url, options=SEARCH_PATH) as connection:
            connection.execute(f"{INSERT} {EVENTS_OF_OTHERS}")
            connection.execute(f"{INSERT} {OWN_EVENTS}")
        yield url


def blocks_read(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


class ExplainedConnection:
    """Connection that also runs EXPLAIN for each statement that reads events."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self.blocks: list[int] = []

    def kept_cursor(self, _: str) -> Self:
        """Return what runs a statement: this connection, which takes a new cursor for each."""
        return self

    async def execute(self, statement: str, values: dict[str, Any]) -> Any:
        cursor = await self._connection.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, values)
        ((explained,),) = await cursor.fetchall()
        self.blocks.append(blocks_read(explained[0]["Plan"]))
        return await self._connection.execute(statement, values)


@pytest.mark.parametrize("analyzed", [False, True], ids=["no statistics", "statistics"])
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("filters", [{}, {"actor_id": UUID(int=1)}], ids=["all", "by actor"])
async def test_page_of_a_user_reads_few_blocks(large_log, analyzed, newest_first, filters):
    """Every page, up to the last one, reads about its own events, from plans for these values and for any values."""
    async with await psycopg.AsyncConnection.connect(large_log, autocommit=True, options=SEARCH_PATH) as connection:
        await connection.execute("VACUUM ANALYZE tasks.task_events" if analyzed else "DELETE FROM pg_statistic")
        for mode in ("force_custom_plan", "force_generic_plan"):
            await connection.execute(f"SET plan_cache_mode = {mode}")
            explained = ExplainedConnection(connection)
            log = SqlEventLog(explained)  # type: ignore[arg-type]
            query = EventQuery(visible_to=USER, newest_first=newest_first, **filters)
            after: LogPosition | None = None if newest_first else LOG_START
            found, pages = 0, 0
            while pages == 0 or after is not None:
                scan = await log.scan(query, after, OTHERS + OWN + 1, limit=51, max_scanned=51)
                found, pages, after = found + len(scan.events), pages + 1, scan.end
            assert (found, pages) == (0 if filters else OWN, OWN // 51 + 1)
            assert max(explained.blocks) < MAX_BLOCKS, explained.blocks


@pytest.mark.parametrize("visible_to", [USER, None], ids=["user", "all"])
async def test_events_of_one_task_are_found_by_its_index(large_log, visible_to):
    """A stream or list of one task polls the log, and its events may be rare."""
    async with await psycopg.AsyncConnection.connect(large_log, autocommit=True, options=SEARCH_PATH) as connection:
        await connection.execute("VACUUM ANALYZE tasks.task_events")
        for mode in ("force_custom_plan", "force_generic_plan"):
            await connection.execute(f"SET plan_cache_mode = {mode}")
            explained = ExplainedConnection(connection)
            query = EventQuery(visible_to=visible_to, task_id=UUID(int=1))
            scan = await SqlEventLog(explained).scan(  # type: ignore[arg-type]
                query, LOG_START, OTHERS + OWN + 1, limit=51, max_scanned=51
            )
            assert (list(scan.events), scan.end) == ([], None)
            assert max(explained.blocks) < 10, explained.blocks
