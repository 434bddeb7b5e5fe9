"""Tasks in Postgres."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import ARRAY, Uuid, any_, bindparam, delete, insert, select, text, update

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from chassis.database.unit_of_work import translate_constraint_violations
from chassis.kernel.pagination import InvalidPageToken, Page, PageRequest
from task_service.persistence.tables import tasks
from task_service.tasks.domain.errors import ExternalIdTaken
from task_service.tasks.domain.stats import Stats
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_query import TaskQuery
from task_service.tasks.domain.values import Priority, Status
from task_service.tasks.persistence.task_json import task_to_json
from task_service.tasks.persistence.task_lists import COLUMNS, count_of, key_of, page_of
from task_service.tasks.persistence.task_stats import stats_of

_STATUS, _PRIORITY, _LABELS = map(Task._fields.index, ("status", "priority", "labels"))

_GET = Statement(select(*COLUMNS).where(tasks.c.id == bindparam("id")))
_LOCK = Statement(select(*COLUMNS).where(tasks.c.id == bindparam("id")).with_for_update())
_ADD = Statement(insert(tasks), columns=Task._fields)
_UPDATE = Statement(
    update(tasks)
    .where(tasks.c.id == bindparam("id"))
    .values({name: bindparam(name) for name in Task._fields if name != "id"})
)
_SEVERAL = select(*COLUMNS).where(tasks.c.id == any_(bindparam("task_ids", type_=ARRAY(Uuid)))).order_by(tasks.c.id)
_GET_ALL = Statement(_SEVERAL)
_LOCK_ALL = Statement(_SEVERAL.with_for_update())
# One statement; its rows have the types of the table's columns.
_UPDATE_ALL = Statement(
    text(f"""
    UPDATE tasks.tasks AS task SET {", ".join(f"{name} = new.{name}" for name in Task._fields if name != "id")}
    FROM jsonb_populate_recordset(CAST(NULL AS tasks.tasks), :tasks) AS new WHERE task.id = new.id
    """)  # noqa: S608 - the names are constants
)
_REMOVE = Statement(delete(tasks).where(tasks.c.id == bindparam("id")))
# Rows that another transaction undeletes or purges are skipped.
_DUE = Statement(
    select(*COLUMNS)
    .where(tasks.c.purge_at <= bindparam("now"))
    .order_by(tasks.c.purge_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
# One index lookup for each external_id. After fast growth the planner has no statistics: a single condition over all
# external_ids would read all tasks of the owner, for each batch of an import.
WITH_EXTERNAL_IDS = Statement(
    text("""
    SELECT found.id FROM unnest(CAST(:among AS text[])) AS wanted (external_id) CROSS JOIN LATERAL (
        SELECT id FROM tasks.tasks
        WHERE owner_id = :owner_id AND external_id = wanted.external_id AND external_id <> '' AND deleted_at IS NULL
        LIMIT 1
    ) AS found
    """)
)
_TAKE_TURNS = Statement(
    text("SELECT pg_advisory_xact_lock(hashtextextended('tasks.external_ids ' || CAST(:owner_id AS text), 0))")
)

_CONSTRAINTS = {"tasks_external_id_unique": ExternalIdTaken}


class SqlTasks:
    """Tasks on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, task: Task) -> None:
        with translate_constraint_violations(_CONSTRAINTS):
            await _ADD.run(self._connection, **_values(task))

    async def get(self, task_id: UUID) -> Task | None:
        return await self._one(_GET, task_id)

    async def lock(self, task_id: UUID) -> Task | None:
        return await self._one(_LOCK, task_id)

    async def update(self, task: Task) -> None:
        with translate_constraint_violations(_CONSTRAINTS):
            await _UPDATE.run(self._connection, **_values(task))

    async def remove(self, task_id: UUID) -> None:
        await _REMOVE.run(self._connection, id=task_id)

    async def lock_expired(self, now: datetime, most: int) -> Sequence[Task]:
        cursor = await _DUE.run(self._connection, now=now, most=most)
        return [_task(row) for row in await cursor.fetchall()]

    async def lock_all(self, task_ids: Sequence[UUID]) -> Sequence[Task]:
        cursor = await _LOCK_ALL.run(self._connection, task_ids=list(task_ids))
        return [_task(row) for row in await cursor.fetchall()]

    async def update_all(self, tasks: Sequence[Task]) -> None:
        with translate_constraint_violations(_CONSTRAINTS):
            await _UPDATE_ALL.run(self._connection, tasks=Jsonb([task_to_json(task) for task in tasks]))

    async def lock_external_ids(self, owner_ids: Collection[UUID]) -> None:
        for owner_id in sorted(owner_ids):
            await _TAKE_TURNS.run(self._connection, owner_id=owner_id)

    async def find_by_external_ids(self, owner_id: UUID, among: Collection[str], *, lock: bool) -> Sequence[Task]:
        cursor = await WITH_EXTERNAL_IDS.run(self._connection, owner_id=owner_id, among=list(among))
        task_ids = [row[0] for row in await cursor.fetchall()]
        if not task_ids:
            return []
        cursor = await (_LOCK_ALL if lock else _GET_ALL).run(self._connection, task_ids=task_ids)
        found = map(_task, await cursor.fetchall())
        # A task may have been changed since.
        return [task for task in found if task.external_id in among and task.deleted_at is None]

    async def page(self, query: TaskQuery, request: PageRequest, today: date) -> Page[Task]:
        statement, values = page_of(query, request, today)
        try:
            cursor = await statement.run(self._connection, **values)
        except psycopg.DataError:
            # All other values have their type; only the key of a forged token can be anything.
            if not request.after:
                raise
            raise InvalidPageToken from None
        return request.page(await cursor.fetchall(), key_of).map(lambda row: _task(row[:-1]))

    async def count(self, query: TaskQuery, today: date) -> int:
        statement, values = count_of(query, today)
        cursor = await statement.run(self._connection, **values)
        row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def stats(self, query: TaskQuery, first: date, today: date) -> Stats:
        return await stats_of(
            self._connection, seen_by=query.seen_by, owner_id=query.owner_id, first=first, today=today
        )

    async def _one(self, statement: Statement, task_id: UUID) -> Task | None:
        cursor = await statement.run(self._connection, id=task_id)
        row = await cursor.fetchone()
        return _task(row) if row else None


def row_of(task: Task) -> tuple[Any, ...]:
    """Return a task's row in column order. psycopg encodes a tuple as a record and a list as an array."""
    return (*task[:_LABELS], list(task.labels), *task[_LABELS + 1 :])


def _values(task: Task) -> dict[str, Any]:
    return dict(zip(Task._fields, row_of(task), strict=True))


def _task(row: tuple[Any, ...]) -> Task:
    # Only one tuple: a page creates fifty and more.
    values = list(row)
    values[_STATUS] = Status(values[_STATUS])
    values[_PRIORITY] = Priority(values[_PRIORITY])
    values[_LABELS] = tuple(values[_LABELS])
    return Task._make(values)
