"""Any list shows exactly what a sort in memory would, page after page, while others insert and delete; and none of
one user's lists reads the whole table.
"""

import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from chassis.kernel.pagination import PageRequest
from chassis.testing.database import temporary_database
from task_service.tasks.domain.task import Task, TaskDraft, new_task
from task_service.tasks.domain.task_query import DeletedFilter, IdRange, Order, TaskQuery
from task_service.tasks.domain.values import Priority, Status
from task_service.tasks.persistence.page_keys import encode_page_key
from task_service.tasks.persistence.task_lists import count_statement, page_statement, step_end_statement
from task_service.tasks.persistence.tasks import encode_task

ME, HER = UUID(int=1), UUID(int=2)
TODAY = date(2026, 6, 15)
LABELS = ("a", "b", "c")
PRIORITIES = list(Priority)


def some_task(chance: random.Random) -> Task:
    draft = TaskDraft(
        title=chance.choice(["Äpfel", "äpfel", "b", "B", "Call", "100%"]),
        description=chance.choice(["", "Äpfel"]),
        status=chance.choice(list(Status)),
        priority=chance.choice(PRIORITIES),
        due_date=chance.choice(["", "2026-06-14", "2026-06-15", "2026-06-16"]),
        labels=tuple(chance.sample(LABELS, chance.randrange(3))),
        assignee_id=chance.choice(["", str(ME), str(HER)]),
    )
    task = new_task(draft.validate(), task_id=uuid7(), owner_id=chance.choice([ME, HER]))
    if chance.random() < 0.5:
        task = task._replace(updated_at=task.created_at + timedelta(seconds=chance.randrange(3)))
    return task.deleted(task.updated_at, retention=timedelta(days=30)) if chance.random() < 0.2 else task


def shows(query: TaskQuery, task: Task) -> bool:
    words = (task.title + "\n" + task.description).lower()
    unfinished = task.status in {Status.PENDING, Status.IN_PROGRESS}
    due = task.due_date
    return all(
        (
            query.visible_to is None or query.visible_to in {task.owner_id, task.assignee_id},
            query.owner_id in {None, task.owner_id},
            not query.statuses or task.status in query.statuses,
            not query.priorities or task.priority in query.priorities,
            not query.labels_any or set(query.labels_any) & set(task.labels),
            set(query.labels_all) <= set(task.labels),
            query.assignee_id in {None, task.assignee_id},
            query.due_before is None or (due is not None and due < query.due_before),
            query.due_after is None or (due is not None and due > query.due_after),
            not query.overdue or (due is not None and due < TODAY and unfinished),
            all(word.lower() in words for word in query.words),
            query.deleted is DeletedFilter.INCLUDE
            or (task.deleted_at is None) == (query.deleted is DeletedFilter.EXCLUDE),
        )
    )


KEYS = {
    Order.CREATED_AT: lambda task: (task.created_at, task.id),
    Order.UPDATED_AT: lambda task: (task.updated_at, task.id),
    Order.DUE_DATE: lambda task: (task.due_date or date.max, task.id),
    Order.PRIORITY: lambda task: (PRIORITIES.index(task.priority), task.id),
    Order.TITLE: lambda task: (task.title.lower(), task.id),
}

few = st.lists(st.sampled_from(LABELS), max_size=2, unique=True).map(tuple)
days = st.none() | st.sampled_from([date(2026, 6, 15), date(2026, 6, 16)])
queries = st.builds(
    TaskQuery,
    visible_to=st.sampled_from([ME, ME, None]),
    owner_id=st.sampled_from([None, None, HER]),
    statuses=st.lists(st.sampled_from(Status), max_size=3, unique=True).map(tuple),
    priorities=st.lists(st.sampled_from(Priority), max_size=3, unique=True).map(tuple),
    labels_any=few,
    labels_all=few,
    assignee_id=st.sampled_from([None, None, HER]),
    import_id=st.none(),
    due_before=days,
    due_after=days,
    created_before=st.none(),
    created_after=st.none(),
    updated_before=st.none(),
    updated_after=st.none(),
    overdue=st.booleans(),
    words=st.sampled_from([(), (), ("ÄPF",), ("b",), ("%",), ("äpfel", "call")]),
    deleted=st.sampled_from(DeletedFilter),
    order=st.sampled_from(Order),
    descending=st.booleans(),
)


def insert(connection: psycopg.Connection, task: Task) -> None:
    names = ", ".join(Task._fields)
    places = ", ".join(["%s"] * len(Task._fields))
    connection.execute(f"INSERT INTO tasks.tasks ({names}) VALUES ({places})", encode_task(task))


@pytest.fixture
def population(database):
    """A connection to sixty tasks that differ in everything, and the tasks."""
    chance = random.Random(7)  # noqa: S311 - an example, and the same each time
    tasks = [some_task(chance) for _ in range(60)]
    with psycopg.connect(database.tasks_url) as connection:
        for task in tasks:
            insert(connection, task)
        connection.commit()
        yield connection, tasks


def count_in_steps(connection: psycopg.Connection, query: TaskQuery, size: int) -> int:
    """Count a list in ranges of ids, each of which ends after `size` rows that the scan reads."""
    total, after = 0, None
    while True:
        statement, values = step_end_statement(query, after, size)
        row = connection.execute(statement.sql, {**statement._constants, **values}).fetchone()
        until = row[0] if row else None
        statement, values = count_statement(query, TODAY, IdRange(after, until))
        counted = connection.execute(statement.sql, {**statement._constants, **values}).fetchone()
        assert counted is not None
        total += counted[0]
        if until is None:
            return total
        after = until


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=queries, size=st.integers(1, 7), chance=st.randoms(use_true_random=False))
def test_pages_match_an_in_memory_sort(population, query, size, chance):
    connection, tasks = population
    expected = sorted(filter(lambda task: shows(query, task), tasks), key=KEYS[query.order], reverse=query.descending)
    gone: set[UUID] = set()
    seen: list[UUID] = []
    with connection.transaction(force_rollback=True):
        statement, values = count_statement(query, TODAY, IdRange())
        row = connection.execute(statement.sql, {**statement._constants, **values}).fetchone()
        assert row == (len(expected),)
        assert count_in_steps(connection, query, size) == len(expected)
        token = ""
        while True:
            request = PageRequest.parse(size, token, query="test")
            statement, values = page_statement(query, request, TODAY)
            rows = connection.execute(statement.sql, {**statement._constants, **values}).fetchall()
            page = request.page(rows, encode_page_key)
            seen += [row[0] for row in page.items]
            token = page.next_token
            if not token:
                break
            insert(connection, some_task(chance))
            victim = chance.choice(tasks).id
            gone.add(victim)
            connection.execute("DELETE FROM tasks.tasks WHERE id = %s", [victim])
    known = {task.id for task in tasks}
    assert len(set(seen)) == len(seen)
    assert [task_id for task_id in seen if task_id in known - gone] == [
        task.id for task in expected if task.id not in gone
    ]


@pytest.fixture(scope="session")
def crowded(postgres, template):
    """200,000 tasks of forty owners, as an administrator sees them."""
    with temporary_database(postgres, template=template) as url, psycopg.connect(url) as connection:
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


def nodes(plan: dict[str, Any]):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def plan_of(connection: psycopg.Connection, statement, values: dict[str, Any]) -> list[dict[str, Any]]:
    explained = connection.execute(
        "EXPLAIN (FORMAT JSON) " + statement.sql, {**statement._constants, **values}
    ).fetchone()
    assert explained is not None
    return list(nodes((json.loads(explained[0]) if isinstance(explained[0], str) else explained[0])[0]["Plan"]))


RESTRICTIONS: list[dict[str, Any]] = [
    {},
    {"statuses": (Status.COMPLETED,)},
    {"priorities": (Priority.HIGH,)},
    {"labels_any": ("l1",)},
    {"labels_all": ("l1",)},
    {"assignee_id": HER},
    {"import_id": HER},
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


@pytest.mark.parametrize("restriction", RESTRICTIONS, ids=lambda restriction: next(iter(restriction), "none"))
def test_no_list_of_one_user_reads_the_whole_table(crowded, restriction):
    sights: list[dict[str, Any]] = [{"visible_to": ME}, {"owner_id": ME}]
    for sight in sights:
        query = TaskQuery(**sight, **restriction)
        for order in Order:
            for descending in (True, False):
                ordered = replace(query, order=order, descending=descending)
                plan = plan_of(crowded, *page_statement(ordered, PageRequest(50), TODAY))
                assert not [node for node in plan if node["Node Type"] == "Seq Scan"], (sight, order, descending)
        assert not [
            node
            for node in plan_of(crowded, *count_statement(query, TODAY, IdRange()))
            if node["Node Type"] == "Seq Scan"
        ]


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("order", [Order.CREATED_AT, Order.DUE_DATE])
def test_indexed_orders_are_not_sorted(crowded, order, descending):
    """First pages and those behind a key: what is read does not grow with what the user owns."""
    query = TaskQuery(owner_id=ME, order=order, descending=descending)
    first = PageRequest(50)
    statement, values = page_statement(query, first, TODAY)
    rows = crowded.execute(statement.sql, {**statement._constants, **values}).fetchall()
    for request in (first, PageRequest(50, encode_page_key(rows[49]))):
        plan = plan_of(crowded, *page_statement(query, request, TODAY))
        assert {node["Node Type"] for node in plan} <= {"Limit", "Result", "Index Scan"}
        assert [node["Plan Rows"] for node in plan if node["Node Type"] == "Limit"] == [51]
