"""Query plans of task lists: lists of one user use indexes."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from chassis.kernel.pagination import PageRequest
from chassis.testing.database import temporary_database
from task_service.tasks.domain.task_query import DeletedFilter, IdRange, Order, TaskQuery
from task_service.tasks.domain.values import Priority, Status
from task_service.tasks.persistence.page_keys import encode_page_key
from task_service.tasks.persistence.task_lists import count_statement, page_statement
from tests.support.database import SEARCH_PATH

SONU, MINA = UUID(int=1), UUID(int=2)
TODAY = date(2026, 6, 15)


@pytest.fixture(scope="session")
def large_database(postgres, template):
    """Administrator's connection to a database with 200,000 tasks of forty owners."""
    with (
        temporary_database(postgres, template=template) as url,
        psycopg.connect(url, options=SEARCH_PATH) as connection,
    ):
        connection.execute("""
            INSERT INTO tasks.tasks (id, owner_id, title, description, status, priority, due_date, labels, external_id,
                assignee_id, created_at, updated_at, deleted_at, purge_at, revision)
            SELECT uuidv7(make_interval(secs => -n)), lpad(to_hex(n % 40), 32, '0')::uuid, 'Task ' || md5(n::text), '',
                'pending', 'none', CASE WHEN n % 3 = 0 THEN date '2026-01-01' + n % 500 END, ARRAY['l' || n % 50], '',
                CASE WHEN n % 10 = 0 THEN lpad(to_hex(n % 37), 32, '0')::uuid END, now(), now(),
                CASE WHEN n % 100 = 0 THEN now() END, CASE WHEN n % 100 = 0 THEN now() END, 1
            FROM generate_series(1, 200000) n
        """)
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE tasks.tasks")
        yield connection


def plan_nodes(plan: dict[str, Any]):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from plan_nodes(inner)


def explain(connection: psycopg.Connection, statement, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the nodes of the statement's plan."""
    explained = connection.execute(
        "EXPLAIN (FORMAT JSON) " + statement.sql, {**statement._constants, **values}
    ).fetchone()
    assert explained is not None
    return list(plan_nodes((json.loads(explained[0]) if isinstance(explained[0], str) else explained[0])[0]["Plan"]))


def has_sequential_scan(plan: list[dict[str, Any]]) -> bool:
    return any(node["Node Type"] == "Seq Scan" for node in plan)


FILTERS: list[dict[str, Any]] = [
    {},
    {"statuses": (Status.COMPLETED,)},
    {"priorities": (Priority.HIGH,)},
    {"labels_any": ("l1",)},
    {"labels_all": ("l1",)},
    {"assignee_id": MINA},
    {"import_id": MINA},
    {"ids": (MINA,)},
    {"external_id": "A-1"},
    {"labels_none": ("l1",)},
    {"no_due_date": True},
    {"completed_before": datetime(2026, 1, 1, tzinfo=UTC)},
    {"completed_after": datetime(2026, 1, 1, tzinfo=UTC)},
    {"due_before": date(2026, 2, 1)},
    {"due_after": date(2026, 2, 1)},
    {"created_before": datetime(2026, 1, 1, tzinfo=UTC)},
    {"created_after": datetime(2026, 1, 1, tzinfo=UTC)},
    {"updated_before": datetime(2026, 1, 1, tzinfo=UTC)},
    {"updated_after": datetime(2026, 1, 1, tzinfo=UTC)},
    {"overdue": True},
    {"words": ("task",)},
    {"deleted": DeletedFilter.INCLUDE},
    {"deleted": DeletedFilter.ONLY},
]


@pytest.mark.parametrize("filters", FILTERS, ids=lambda filters: next(iter(filters), "none"))
def test_no_list_of_one_user_reads_the_whole_table(large_database, filters):
    visibilities: list[dict[str, Any]] = [{"visible_to": SONU}, {"owner_id": SONU}]
    for visibility in visibilities:
        query = TaskQuery(**visibility, **filters)
        for order in Order:
            for descending in (True, False):
                ordered = replace(query, order=order, descending=descending)
                plan = explain(large_database, *page_statement(ordered, PageRequest(50), TODAY))
                assert not has_sequential_scan(plan), (visibility, order, descending)
        assert not has_sequential_scan(explain(large_database, *count_statement(query, TODAY, IdRange())))


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("order", [Order.CREATED_AT, Order.DUE_DATE])
def test_indexed_orders_are_not_sorted(large_database, order, descending):
    """Both first and later pages stop at the limit, so their cost does not grow with the user's tasks."""
    query = TaskQuery(owner_id=SONU, order=order, descending=descending)
    first = PageRequest(50)
    statement, values = page_statement(query, first, TODAY)
    rows = large_database.execute(statement.sql, {**statement._constants, **values}).fetchall()
    for request in (first, PageRequest(50, encode_page_key(rows[49]))):
        plan = explain(large_database, *page_statement(query, request, TODAY))
        assert {node["Node Type"] for node in plan} <= {"Limit", "Result", "Index Scan"}
        assert [node["Plan Rows"] for node in plan if node["Node Type"] == "Limit"] == [51]
