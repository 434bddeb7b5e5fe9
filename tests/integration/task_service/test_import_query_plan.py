"""Query plan of an import's lookup by external_id: its cost does not grow with the owner's tasks."""

from typing import Any
from uuid import UUID

import psycopg

from task_service.tasks.persistence.tasks import FIND_BY_EXTERNAL_IDS
from tests.support.database import SEARCH_PATH

OWNER = UUID(int=1)


def plan_nodes(plan: dict[str, Any]):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from plan_nodes(inner)


def check_plan_of_import(connection: psycopg.Connection) -> None:
    values = {"owner_id": OWNER, "external_ids": [f"WEB-{number}" for number in range(2000)]}
    plan = connection.execute("EXPLAIN (FORMAT JSON) " + FIND_BY_EXTERNAL_IDS.sql, values).fetchone()
    assert plan is not None
    scans = [node for node in plan_nodes(plan[0][0]["Plan"]) if node.get("Relation Name") == "tasks"]
    assert [node["Index Name"] for node in scans] == ["tasks_external_id_unique"]
    assert "requested.external_id" in scans[0]["Index Cond"]


def test_external_id_lookup_uses_the_index_during_growth(database):
    """The table has no statistics while it grows. With an equality, the plan at 19,000 tasks read all of the owner."""
    with psycopg.connect(database.administrator_url, autocommit=True, options=SEARCH_PATH) as connection:
        connection.execute("ALTER TABLE tasks.tasks SET (autovacuum_enabled = off)")
        for first in range(1, 30_000, 1000):
            connection.execute(
                "INSERT INTO tasks.tasks (id, owner_id, title, description, status, priority, created_at, updated_at,"
                " revision, external_id, due_date) SELECT uuidv7(), %s, 'Login fails on a device', 'Issue Type: Bug',"
                " 'pending', 'none', now(), now(), 1, 'WEB-' || n, CASE WHEN n %% 3 > 0 THEN date '2026-01-01' END"
                " FROM generate_series(%s::int, %s::int) n",
                (OWNER, first, first + 999),
            )
            check_plan_of_import(connection)
        connection.execute("ANALYZE tasks.tasks")
        check_plan_of_import(connection)
