"""Query plans of lookups by external_id and id: no cost grows with the owner's tasks, with or without statistics."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from chassis.kernel.pagination import PageRequest
from task_service.tasks.domain.task_query import Order, TaskQuery
from task_service.tasks.persistence.task_lists import page_statement
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


def check_plans_of_lists(connection: psycopg.Connection) -> None:
    by_id: dict[str, Any] = {"ids": tuple(UUID(int=number) for number in range(3))}
    by_external_id: dict[str, Any] = {"external_id": "WEB-1"}
    for lookup, indexes in ((by_id, {"tasks_pkey"}), (by_external_id, {"tasks_external_id_unique", "tasks_pkey"})):
        check_indexes(connection, TaskQuery(visible_to=OWNER, **lookup), indexes)
        check_indexes(connection, TaskQuery(owner_id=OWNER, **lookup), indexes)


def check_indexes(connection: psycopg.Connection, query: TaskQuery, indexes: set[str]) -> None:
    for order in Order:
        statement, values = page_statement(replace(query, order=order), PageRequest(50), date(2026, 6, 15))
        plan = connection.execute(
            "EXPLAIN (FORMAT JSON) " + statement.sql, {**statement._constants, **values}
        ).fetchone()
        assert plan is not None
        nodes = list(plan_nodes(plan[0][0]["Plan"]))
        assert "Seq Scan" not in {node["Node Type"] for node in nodes}
        # The tasks that others assigned to the user have no index by external_id.
        names = {node["Index Name"] for node in nodes if "Index Name" in node} - {"tasks_by_assignee"}
        assert names == indexes, (order, nodes)


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
            check_plans_of_lists(connection)
        connection.execute("ANALYZE tasks.tasks")
        check_plan_of_import(connection)
        check_plans_of_lists(connection)
