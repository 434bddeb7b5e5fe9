"""Query plans of task lists: each documented query reads its index, with and without statistics."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from chassis.database.scan_session import SqlScanSession
from chassis.testing.database import temporary_database
from task_service.tasks.domain.listed_task import page_key
from task_service.tasks.domain.task_query import DeletedFilter, Order, TaskQuery
from task_service.tasks.domain.values import Priority, Status
from task_service.tasks.persistence.task_lists import SqlTaskLists
from tests.support.database import SEARCH_PATH
from tests.support.plans import ExplainedConnection

OWNER, ASSIGNEE, IMPORT = UUID(int=0x30), UUID(int=0x31), UUID(int=7)
"""The owner's tasks are older than all tasks of the others."""
TODAY = date(2026, 6, 15)
TIME = datetime(2026, 1, 1, tzinfo=UTC)
MAX_ROWS = 1000
MAX_BLOCKS = 4 * MAX_ROWS
"""Blocks that a section may read. Two parts have a block of the table for each row, and as many of dead rows."""

TASKS = """
    INSERT INTO tasks.tasks (id, owner_id, title, description, status, priority, due_date, labels, external_id,
        assignee_id, import_id, created_at, updated_at, deleted_at, purge_at, revision)
    SELECT id, CASE WHEN n <= 60000 THEN %(owner)s ELSE lpad(to_hex(n %% 40), 32, '0')::uuid END,
        'Task ' || md5(n::text), repeat(md5(n::text), 3), 'pending', 'none',
        CASE WHEN n %% 3 = 0 THEN date '2026-01-01' + n %% 500 END, ARRAY['l' || n %% 50],
        CASE WHEN n %% 5 = 0 THEN 'E-' || n ELSE '' END,
        CASE WHEN n %% 10 = 0 THEN %(assignee)s WHEN n %% 10 = 1 THEN %(owner)s END,
        CASE WHEN n BETWEEN 20000 AND 22000 THEN %(import)s END,
        uuid_extract_timestamp(id), uuid_extract_timestamp(id),
        CASE WHEN n %% 100 = 0 THEN now() END, CASE WHEN n %% 100 = 0 THEN now() END, 1
    FROM (SELECT n, uuidv7(make_interval(secs => n * 60 - 20000000)) AS id FROM generate_series(1, 200000) n) AS t
"""
IMPORTS = """
    INSERT INTO tasks.imports (id, owner_id, actor_id, actor_role, request_id, state, file_name, created_at,
        finished_at)
    SELECT %(import)s, %(owner)s, %(owner)s, 'user', 'r', 'succeeded', 'f.csv', min(created_at), max(created_at)
    FROM tasks.tasks WHERE import_id = %(import)s
"""
BY_OWNER = {
    Order.CREATED_AT: "tasks_by_created_at",
    Order.DUE_DATE: "tasks_by_due_date",
    Order.UPDATED_AT: "tasks_by_updated_at",
}
BY_ASSIGNEE = {
    Order.CREATED_AT: "tasks_by_assignee_and_created_at",
    Order.DUE_DATE: "tasks_by_assignee_and_due_date",
    Order.UPDATED_AT: "tasks_by_assignee_and_updated_at",
}
FILTERS: list[dict[str, Any]] = [
    {},
    {"statuses": (Status.COMPLETED,)},
    {"priorities": (Priority.HIGH,)},
    {"labels_any": ("l1",)},
    {"labels_all": ("none",)},
    {"labels_none": ("l1",)},
    {"no_due_date": True},
    {"completed_before": TIME},
    {"completed_after": TIME},
    {"due_before": date(2026, 2, 1)},
    {"due_after": date(2026, 2, 1)},
    {"created_before": TIME},
    {"created_after": TIME},
    {"updated_before": TIME},
    {"updated_after": TIME},
    {"overdue": True},
    {"words": ("nothing",)},
]


@pytest.fixture(scope="module", params=["no statistics", "statistics", "old statistics"])
def large_database(request, postgres, template):
    """URL of a database with 200,000 tasks. Old statistics are from before the owner had any."""
    values = {"owner": OWNER, "assignee": ASSIGNEE, "import": IMPORT}
    with temporary_database(postgres, template=template) as url:
        with psycopg.connect(url, autocommit=True, options=SEARCH_PATH) as connection:
            connection.execute(TASKS, values)
            connection.execute(IMPORTS, values)
            if request.param == "old statistics":
                connection.execute("UPDATE tasks SET owner_id = %s WHERE owner_id = %s", (UUID(int=0x99), OWNER))
            if request.param != "no statistics":
                connection.execute("VACUUM ANALYZE tasks")
            if request.param == "old statistics":
                connection.execute("UPDATE tasks SET owner_id = %s WHERE owner_id = %s", (OWNER, UUID(int=0x99)))
        yield url


@pytest.fixture
async def connection(large_database):
    options: dict[str, Any] = {"autocommit": True, "options": SEARCH_PATH}
    async with await psycopg.AsyncConnection.connect(large_database, **options) as connection:
        yield connection


@pytest.fixture
async def explained(connection):
    """Connection in the transaction of a scan, which explains its statements."""
    await connection.execute(SqlScanSession.begin_sql)
    return ExplainedConnection(connection)


async def check(connection: ExplainedConnection, query: TaskQuery, indexes: set[str]) -> None:
    """Check the plans of the first and of the second section, which must be cheap also where nothing matches."""
    lists, after = SqlTaskLists(connection), b""  # type: ignore[arg-type]
    for _ in range(2):
        connection.plans.clear()
        section = await lists.read_section(query, after, TODAY, limit=51, max_rows=MAX_ROWS, max_sorted=0)
        plan = connection.plans[-1]
        assert plan.indexes == indexes, (query, plan.sql)
        assert not plan.node_types & {"Seq Scan", "Sort", "Bitmap Heap Scan"}, (query, plan.node_types)
        assert plan.blocks <= MAX_BLOCKS, (query, plan.blocks)
        after = section.end or (page_key(*_last(section)) if section.items else b"")
        if not after:
            return


def _last(section) -> tuple[UUID, str]:
    return UUID(section.items[-1].id), section.items[-1].sort_key


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("filters", [{}, {"created_before": TIME}, {"created_after": TIME}])
async def test_plain_lists_need_no_settings(connection, filters, descending):
    """Lists without other filters are read without a transaction, so the planner has all its choices."""
    visibilities: list[tuple[dict[str, Any], set[str]]] = [
        ({"owner_id": OWNER}, {"tasks_by_created_at"}),
        ({"visible_to": OWNER}, {"tasks_by_created_at", "tasks_by_assignee_and_created_at"}),
        ({}, {"tasks_pkey"}),
    ]
    for visibility, indexes in visibilities:
        query = TaskQuery(descending=descending, **filters, **visibility)
        assert not query.may_scan
        await check(ExplainedConnection(connection), query, indexes)


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("order", BY_OWNER)
async def test_every_filter_reads_the_index_of_its_order(explained, order, descending):
    """This holds for a user, for an owner's tasks and for an assignee's."""
    for filters in FILTERS:
        query = TaskQuery(order=order, descending=descending, **filters)
        await check(explained, replace(query, owner_id=OWNER), {BY_OWNER[order]})
        await check(explained, replace(query, visible_to=OWNER), {BY_OWNER[order], BY_ASSIGNEE[order]})
        await check(explained, replace(query, assignee_id=ASSIGNEE), {BY_ASSIGNEE[order]})
        await check(explained, replace(query, visible_to=OWNER, assignee_id=ASSIGNEE), {BY_ASSIGNEE[order]})


@pytest.mark.parametrize("descending", [True, False])
async def test_lists_of_all_owners_read_the_primary_key(explained, descending):
    for filters in [*FILTERS, {"external_id": "E-1"}, {"deleted": DeletedFilter.ONLY}]:
        await check(explained, TaskQuery(descending=descending, **filters), {"tasks_pkey"})


async def test_trash_has_its_own_index(explained):
    deleted = TaskQuery(deleted=DeletedFilter.ONLY)
    await check(explained, replace(deleted, owner_id=OWNER), {"tasks_in_trash"})
    await check(explained, replace(deleted, visible_to=OWNER), {"tasks_in_trash", "tasks_by_assignee_and_created_at"})


async def test_list_of_an_import_reads_only_its_time(explained):
    """The tasks of an import are read by the index of its owner, without the tasks before and after it."""
    of_import = TaskQuery(import_id=IMPORT)
    for query in (of_import, replace(of_import, owner_id=OWNER), replace(of_import, visible_to=OWNER)):
        await check(explained, query, {"tasks_by_created_at"})
    await check(explained, replace(of_import, visible_to=ASSIGNEE), {"tasks_by_assignee_and_created_at"})


async def test_totals_read_the_index_of_a_filter(explained):
    """A total needs no order, so it reads the index in which a filter has a range."""
    for filters, order in (
        ({}, Order.CREATED_AT),
        ({"updated_after": TIME}, Order.UPDATED_AT),
        ({"overdue": True}, Order.DUE_DATE),
    ):
        query = TaskQuery(owner_id=OWNER, order=Order.TITLE, **filters)
        explained.plans.clear()
        await SqlTaskLists(explained).count_section(query, b"", TODAY, limit=MAX_ROWS, max_rows=MAX_ROWS)
        [plan] = explained.plans
        assert (plan.indexes, plan.blocks <= MAX_BLOCKS) == ({BY_OWNER[order]}, True)
        assert not plan.node_types & {"Seq Scan", "Sort", "Bitmap Heap Scan"}


async def test_counts_need_only_indexes(explained):
    """The tasks of an owner are all over the table."""
    for query, indexes in (
        (TaskQuery(owner_id=OWNER), {"tasks_by_created_at"}),
        (TaskQuery(visible_to=OWNER), {"tasks_by_created_at", "tasks_by_assignee_and_created_at"}),
        (TaskQuery(), {"tasks_by_created_at"}),
    ):
        explained.plans.clear()
        await SqlTaskLists(explained).stats_section(query, b"", TODAY, first_day=TODAY, max_rows=MAX_ROWS)
        [plan] = explained.plans
        assert (plan.indexes, plan.scans, plan.blocks <= MAX_BLOCKS) == (indexes, {"Index Only Scan"}, True)


@pytest.mark.parametrize("order", Order)
async def test_ids_and_external_ids_are_looked_up(explained, order):
    """These lists read few rows in any order."""
    by_id, by_external_id = {"tasks_pkey"}, {"tasks_external_id_unique", "tasks_pkey"}
    for query, indexes in (
        (TaskQuery(visible_to=OWNER, ids=(OWNER, ASSIGNEE)), by_id),
        (TaskQuery(ids=(OWNER, ASSIGNEE)), by_id),
        (TaskQuery(owner_id=OWNER, external_id="E-5"), by_external_id),
    ):
        explained.plans.clear()
        await SqlTaskLists(explained).read_section(
            replace(query, order=order), b"", TODAY, limit=51, max_rows=MAX_ROWS, max_sorted=9
        )
        assert explained.plans[-1].indexes == indexes, (query, explained.plans[-1].nodes)
        assert max(plan.blocks for plan in explained.plans) < 100


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("order", BY_ASSIGNEE)
async def test_external_id_of_a_user_is_looked_up_among_the_own_tasks(explained, order, descending):
    """Only the tasks that are assigned to the user are read in order. No index has their external ids."""
    query = TaskQuery(visible_to=OWNER, external_id="E-5", order=order, descending=descending)
    explained.plans.clear()
    await SqlTaskLists(explained).read_section(query, b"", TODAY, limit=51, max_rows=MAX_ROWS, max_sorted=0)
    [plan] = explained.plans
    assert plan.indexes == {"tasks_external_id_unique", "tasks_pkey", BY_ASSIGNEE[order]}
    assert plan.blocks <= MAX_BLOCKS


@pytest.mark.parametrize("order", [Order.TITLE, Order.PRIORITY])
async def test_sorted_lists_first_look_for_too_many_tasks(explained, order):
    """The check and the list read the narrowest index, and at most as many rows as may be sorted."""
    for filters, index in (
        ({"created_after": datetime(2099, 1, 1, tzinfo=UTC)}, "tasks_by_created_at"),
        ({"updated_after": datetime(2099, 1, 1, tzinfo=UTC)}, "tasks_by_updated_at"),
        ({"due_after": date(2099, 1, 1)}, "tasks_by_due_date"),
    ):
        explained.plans.clear()
        query = TaskQuery(owner_id=OWNER, order=order, **filters)
        await SqlTaskLists(explained).read_section(query, b"", TODAY, limit=51, max_rows=MAX_ROWS, max_sorted=MAX_ROWS)
        assert [plan.indexes for plan in explained.plans] == [{index}, {index}]
        assert max(plan.blocks for plan in explained.plans) < 20
