"""Query plan of an import's lookup: its cost does not grow with the owner's tasks, with or without statistics."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from task_service.tasks.persistence.tasks import FIND_BY_EXTERNAL_IDS

OWNER = UUID(int=1)


def plan_nodes(plan: dict[str, Any]):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from plan_nodes(inner)


@pytest.mark.parametrize("analyzed", [False, True])
def test_external_id_lookup_uses_the_index_after_growth(database, analyzed):
    with psycopg.connect(database.administrator_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO tasks.tasks (id, owner_id, title, description, status, priority, created_at, updated_at,"
            " revision, external_id) SELECT uuidv7(), %s, 'x', '', 'pending', 'none', now(), now(), 1, 'E' || n"
            " FROM generate_series(1, 20000) n",
            (OWNER,),
        )
        if analyzed:
            connection.execute("ANALYZE tasks.tasks")
        values = {"owner_id": OWNER, "external_ids": [f"E{number}" for number in range(1000)]}
        plan = connection.execute("EXPLAIN (FORMAT JSON) " + FIND_BY_EXTERNAL_IDS.sql, values).fetchone()
    assert plan is not None
    scans = [node for node in plan_nodes(plan[0][0]["Plan"]) if node.get("Relation Name") == "tasks"]
    assert [node["Index Name"] for node in scans] == ["tasks_external_id_unique"]
    assert "external_id = requested.external_id" in scans[0]["Index Cond"]
