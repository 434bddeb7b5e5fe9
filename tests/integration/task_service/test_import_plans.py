"""What an import looks up does not cost more the more its owner has, whatever the planner knows."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from task_service.tasks.persistence.tasks import FIND_BY_EXTERNAL_IDS

OWNER = UUID(int=1)


def nodes(plan: dict[str, Any]):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


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
        explained = connection.execute("EXPLAIN (FORMAT JSON) " + FIND_BY_EXTERNAL_IDS.sql, values).fetchone()
    assert explained is not None
    touched = [node for node in nodes(explained[0][0]["Plan"]) if node.get("Relation Name") == "tasks"]
    assert [node["Index Name"] for node in touched] == ["tasks_external_id_unique"]
    assert "external_id = requested.external_id" in touched[0]["Index Cond"]
