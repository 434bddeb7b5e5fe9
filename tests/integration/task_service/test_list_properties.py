"""Lists of tasks: pages equal a sort in memory, during insertions and deletions."""

import asyncio
import random
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.kernel.pagination import PageRequest
from task_service.tasks.domain.task import Task, TaskDraft, new_task
from task_service.tasks.domain.task_query import DeletedFilter, Order, TaskQuery
from task_service.tasks.domain.values import Priority, Status
from task_service.tasks.persistence.task_lists import SqlTaskLists
from task_service.tasks.persistence.task_rows import encode_task

SONU, MINA = UUID(int=1), UUID(int=2)
TODAY = date(2026, 6, 15)
LABELS = ("a", "b", "c")
PRIORITIES = list(Priority)

START_MILLISECONDS = 1_780_000_000_000
"""Creation time of the oldest task, in May 2026."""


def uuid7_from(milliseconds: int, number: int) -> UUID:
    """Return a UUIDv7 with this time after START_MILLISECONDS. Equal arguments give equal ids."""
    version, variant = 7 << 76, 0b10 << 62
    return UUID(int=(START_MILLISECONDS + milliseconds) << 80 | version | variant | number)


def random_task(chance: random.Random, task_id: UUID) -> Task:
    draft = TaskDraft(
        title=chance.choice(["Äpfel", "äpfel", "b", "B", "Call", "100%"]),
        description=chance.choice(["", "Äpfel"]),
        status=chance.choice(list(Status)),
        priority=chance.choice(PRIORITIES),
        due_date=chance.choice(["", "2026-06-14", "2026-06-15", "2026-06-16"]),
        labels=tuple(chance.sample(LABELS, chance.randrange(3))),
        assignee_id=chance.choice(["", str(SONU), str(MINA)]),
        external_id=f"task {task_id.int & 0xFFFF}",
    )
    task = new_task(draft.validate(), task_id=task_id, owner_id=chance.choice([SONU, MINA]))
    if chance.random() < 0.5:
        task = task._replace(updated_at=task.created_at + timedelta(seconds=chance.randrange(3)))
    return task.deleted(task.updated_at, retention=timedelta(days=30)) if chance.random() < 0.2 else task


def random_tasks() -> list[Task]:
    """Return sixty tasks, the same in each run. Some are created in the same millisecond."""
    chance = random.Random(7)  # noqa: S311 - the same tasks in each run
    return [random_task(chance, uuid7_from(chance.randrange(40), number)) for number in range(60)]


TASKS = random_tasks()


def ids_of(indexes: list[int]) -> tuple[UUID, ...]:
    return tuple(TASKS[index].id for index in indexes)


def external_id_of(index: int) -> str:
    return TASKS[index].external_id


def matches(query: TaskQuery, task: Task) -> bool:
    words = (task.title + "\n" + task.description).lower()
    is_open = task.status in {Status.PENDING, Status.IN_PROGRESS}
    due = task.due_date
    return all(
        (
            query.visible_to is None or query.visible_to in {task.owner_id, task.assignee_id},
            query.owner_id in {None, task.owner_id},
            not query.statuses or task.status in query.statuses,
            not query.priorities or task.priority in query.priorities,
            not query.labels_any or set(query.labels_any) & set(task.labels),
            set(query.labels_all) <= set(task.labels),
            not set(query.labels_none) & set(task.labels),
            not query.ids or task.id in query.ids,
            query.external_id in {"", task.external_id},
            not query.no_due_date or due is None,
            query.completed_after is None
            or (task.completed_at is not None and task.completed_at > query.completed_after),
            query.completed_before is None
            or (task.completed_at is not None and task.completed_at < query.completed_before),
            query.assignee_id in {None, task.assignee_id},
            query.due_before is None or (due is not None and due < query.due_before),
            query.due_after is None or (due is not None and due > query.due_after),
            query.created_after is None or task.created_at > query.created_after,
            query.created_before is None or task.created_at < query.created_before,
            query.updated_after is None or task.updated_at > query.updated_after,
            query.updated_before is None or task.updated_at < query.updated_before,
            not query.overdue or (due is not None and due < TODAY and is_open),
            all(word.lower() in words for word in query.words),
            query.deleted is DeletedFilter.INCLUDE
            or (task.deleted_at is None) == (query.deleted is DeletedFilter.EXCLUDE),
        )
    )


SORT_KEYS = {
    Order.CREATED_AT: lambda task: (task.created_at, task.id),
    Order.UPDATED_AT: lambda task: (task.updated_at, task.id),
    Order.DUE_DATE: lambda task: (task.due_date or date.max, task.id),
    Order.PRIORITY: lambda task: (PRIORITIES.index(task.priority), task.id),
    Order.TITLE: lambda task: (task.title.lower(), task.id),
}

labels = st.lists(st.sampled_from(LABELS), min_size=1, max_size=2, unique=True).map(tuple)
times = st.sampled_from([datetime.fromtimestamp((START_MILLISECONDS + 20) / 1000, UTC)])
days = st.sampled_from([date(2026, 6, 15), date(2026, 6, 16)])
filter_values: dict[str, st.SearchStrategy[Any]] = {
    "owner_id": st.just(MINA),
    "statuses": st.lists(st.sampled_from(Status), min_size=1, max_size=3, unique=True).map(tuple),
    "priorities": st.lists(st.sampled_from(Priority), min_size=1, max_size=3, unique=True).map(tuple),
    "labels_any": labels,
    "labels_all": labels,
    "labels_none": labels,
    "ids": st.lists(st.integers(0, 59), min_size=1, max_size=20).map(ids_of),
    "external_id": st.integers(0, 59).map(external_id_of),
    "no_due_date": st.just(True),
    "completed_after": times,
    "completed_before": times,
    "assignee_id": st.sampled_from([SONU, MINA]),
    "created_after": times,
    "created_before": times,
    "updated_after": times,
    "updated_before": times,
    "due_before": days,
    "due_after": days,
    "overdue": st.just(True),
    "words": st.sampled_from([("ÄPF",), ("b",), ("%",), ("äpfel", "call")]),
}
# At most two filters, so that most lists have several pages.
filters = st.lists(st.sampled_from(list(filter_values)), max_size=2, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: filter_values[name] for name in names})
)
queries = st.builds(
    lambda values, **fields: TaskQuery(**values, **fields),
    values=filters,
    visible_to=st.sampled_from([SONU, None]),
    deleted=st.sampled_from(DeletedFilter),
    order=st.sampled_from(Order),
    descending=st.booleans(),
)


def insert(connection: psycopg.Connection, task: Task) -> None:
    names = ", ".join(Task._fields)
    placeholders = ", ".join(["%s"] * len(Task._fields))
    connection.execute(f"INSERT INTO tasks.tasks ({names}) VALUES ({placeholders})", encode_task(task))


@pytest.fixture
def population(database):
    """Connection to a database with the tasks."""
    with psycopg.connect(database.tasks_url) as connection:
        for task in TASKS:
            insert(connection, task)
        connection.commit()
        yield connection


class Cursor:
    """Cursor of a connection, awaited as an asynchronous one."""

    def __init__(self, cursor: psycopg.Cursor) -> None:
        self._cursor = cursor

    async def fetchall(self):
        return self._cursor.fetchall()

    async def fetchone(self):
        return self._cursor.fetchone()


class Connection:
    """Connection, awaited as an asynchronous one."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    async def execute(self, statement: str, values: dict[str, Any]) -> Cursor:
        return Cursor(self._connection.execute(statement, values))


async def count_in_steps(connection: Any, query: TaskQuery, max_rows: int) -> int:
    """Count a list in sections of `max_rows` rows."""
    total, after = 0, b""
    while True:
        count, after = await SqlTaskLists(connection).count_section(query, after, TODAY, limit=1000, max_rows=max_rows)
        total += count
        if not after:
            return total


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=queries,
    size=st.integers(1, 7),
    max_rows=st.integers(1, 9),
    chance=st.randoms(use_true_random=False),
    inserted_milliseconds=st.lists(st.integers(-5, 45), max_size=60),
)
def test_pages_match_an_in_memory_sort(population, query, size, max_rows, chance, inserted_milliseconds):
    """Between two pages, a task with one of the given creation times is inserted, and another task is deleted.

    A page reads at most `max_rows` rows, so it may be empty.
    """
    connection, tasks = population, TASKS
    reader: Any = Connection(population)
    expected = sorted(
        filter(lambda task: matches(query, task), tasks), key=SORT_KEYS[query.order], reverse=query.descending
    )
    deleted: set[UUID] = set()
    seen: list[UUID] = []
    with connection.transaction(force_rollback=True):
        assert asyncio.run(count_in_steps(reader, query, max_rows)) == len(expected)
        token = ""
        while True:
            request = PageRequest.parse(size, token, query="test")
            section = asyncio.run(
                SqlTaskLists(reader).read_section(
                    query, request.after, TODAY, limit=size + 1, max_rows=max_rows, max_sorted=1000
                )
            )
            page = request.page(section.items, attrgetter("page_key"), searched_to=section.end)
            seen += [UUID(listed.id) for listed in page.items]
            token = page.next_token
            if not token:
                break
            if inserted_milliseconds:
                number = len(tasks) + len(inserted_milliseconds)
                insert(connection, random_task(chance, uuid7_from(inserted_milliseconds.pop(), number)))
            deleted_id = chance.choice(tasks).id
            deleted.add(deleted_id)
            connection.execute("DELETE FROM tasks.tasks WHERE id = %s", [deleted_id])
    initial = {task.id for task in tasks}
    assert len(set(seen)) == len(seen)
    assert [task_id for task_id in seen if task_id in initial - deleted] == [
        task.id for task in expected if task.id not in deleted
    ]
