"""Repository of tasks in Postgres."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import ARRAY, Uuid, any_, bindparam, delete, insert, select, text, update

from chassis.database.connection import Connection
from chassis.database.statement import Statement
from chassis.database.unit_of_work import translate_constraint_violations
from task_service.history.persistence.events import events_parameter, insert_events_after
from task_service.persistence.json_rows import json_rows
from task_service.persistence.tables import tasks
from task_service.tasks.domain.errors import ExternalIdTaken
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_events import TaskWithEvent
from task_service.tasks.persistence.list_statements import COLUMNS
from task_service.tasks.persistence.task_rows import decode_task, encode_task

_GET = Statement(select(*COLUMNS).where(tasks.c.id == bindparam("id")))
_LOCK = Statement(select(*COLUMNS).where(tasks.c.id == bindparam("id")).with_for_update())
_ADD = Statement(insert(tasks), columns=Task._fields)
# One statement for all tasks. jsonb_populate_recordset gives the values the types of the table's columns.
_INSERT_ALL = f"""
    INSERT INTO tasks ({", ".join(Task._fields)})
    SELECT {", ".join(Task._fields)} FROM jsonb_populate_recordset(CAST(NULL AS tasks), :tasks)
"""  # noqa: S608 - the names are constants
_ADD_ALL = Statement(text(f"{_INSERT_ALL} ON CONFLICT DO NOTHING RETURNING id"))
_ADD_WITH_EVENTS = Statement(text(insert_events_after(f"rows AS ({_INSERT_ALL} RETURNING id)")))
_UPDATE = Statement(
    update(tasks)
    .where(tasks.c.id == bindparam("id"))
    .values({name: bindparam(name) for name in Task._fields if name != "id"})
)
_BY_IDS = select(*COLUMNS).where(tasks.c.id == any_(bindparam("task_ids", type_=ARRAY(Uuid)))).order_by(tasks.c.id)
_GET_ALL = Statement(_BY_IDS)
_LOCK_ALL = Statement(_BY_IDS.with_for_update())
_UPDATE_ALL = Statement(
    text(f"""
    UPDATE tasks AS task SET {", ".join(f"{name} = new.{name}" for name in Task._fields if name != "id")}
    FROM jsonb_populate_recordset(CAST(NULL AS tasks), :tasks) AS new WHERE task.id = new.id
    """)  # noqa: S608 - the names are constants
)
_REMOVE_ALL = Statement(delete(tasks).where(tasks.c.id == any_(bindparam("task_ids", type_=ARRAY(Uuid)))))
# Skips rows that another transaction is restoring or purging.
_LOCK_EXPIRED = Statement(
    select(*COLUMNS)
    .where(tasks.c.purge_at <= bindparam("now"))
    .order_by(tasks.c.purge_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
# One index lookup for each external_id. After fast growth the planner has no statistics: a single condition over all
# external_ids would read all tasks of the owner, for each batch of an import. At some sizes of the table, another index
# by owner seems as good as the right one for a single external_id too. Only the right one gives the order of ranges; an
# order of equal values would have no effect.
FIND_BY_EXTERNAL_IDS = Statement(
    text("""
    SELECT existing.id FROM unnest(CAST(:external_ids AS text[])) AS requested (external_id) CROSS JOIN LATERAL (
        SELECT id FROM tasks
        WHERE owner_id >= :owner_id AND owner_id <= :owner_id AND deleted_at IS NULL AND external_id <> ''
            AND external_id >= requested.external_id AND external_id <= requested.external_id
        ORDER BY owner_id, external_id LIMIT 1
    ) AS existing
    """)
)
_LOCK_EXTERNAL_IDS = Statement(
    text("SELECT pg_advisory_xact_lock(hashtextextended('tasks.external_ids ' || CAST(:owner_id AS text), 0))")
)

_CONSTRAINTS = {"tasks_external_id_unique": ExternalIdTaken}


class SqlTasks:
    """Repository of tasks on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, task: Task) -> None:
        with translate_constraint_violations(_CONSTRAINTS):
            await _ADD.execute(self._connection, **_parameters(task))

    async def add_with_events(self, new: Sequence[TaskWithEvent]) -> None:
        new_tasks, events = zip(*new, strict=True)
        with translate_constraint_violations(_CONSTRAINTS):
            await _ADD_WITH_EVENTS.run(
                self._connection, tasks=_tasks_parameter(new_tasks), events=events_parameter(events)
            )

    async def add_all(self, tasks: Sequence[Task]) -> Sequence[Task]:
        cursor = await _ADD_ALL.run(self._connection, tasks=_tasks_parameter(tasks))
        added = {row[0] for row in await cursor.fetchall()}
        return [task for task in tasks if task.id not in added]

    async def get(self, task_id: UUID) -> Task | None:
        return await self._fetch_one(_GET, task_id)

    async def get_each(self, task_ids: Sequence[UUID]) -> Sequence[Task | None]:
        if len(task_ids) == 1:
            return [await self.get(task_ids[0])]
        found = {task.id: task for task in await self.get_all(task_ids)}
        return [found.get(task_id) for task_id in task_ids]

    async def get_all(self, task_ids: Sequence[UUID]) -> Sequence[Task]:
        cursor = await _GET_ALL.run(self._connection, task_ids=list(task_ids))
        return [decode_task(row) for row in await cursor.fetchall()]

    async def lock(self, task_id: UUID) -> Task | None:
        return await self._fetch_one(_LOCK, task_id)

    async def update(self, task: Task) -> None:
        with translate_constraint_violations(_CONSTRAINTS):
            await _UPDATE.execute(self._connection, **_parameters(task))

    async def remove_all(self, task_ids: Sequence[UUID]) -> None:
        await _REMOVE_ALL.run(self._connection, task_ids=list(task_ids))

    async def lock_expired(self, now: datetime, limit: int) -> Sequence[Task]:
        cursor = await _LOCK_EXPIRED.run(self._connection, now=now, limit=limit)
        return [decode_task(row) for row in await cursor.fetchall()]

    async def lock_all(self, task_ids: Sequence[UUID]) -> Sequence[Task]:
        cursor = await _LOCK_ALL.run(self._connection, task_ids=list(task_ids))
        return [decode_task(row) for row in await cursor.fetchall()]

    async def update_all(self, tasks: Sequence[Task]) -> None:
        with translate_constraint_violations(_CONSTRAINTS):
            await _UPDATE_ALL.run(self._connection, tasks=_tasks_parameter(tasks))

    async def lock_external_ids(self, owner_ids: Collection[UUID]) -> None:
        for owner_id in sorted(owner_ids):
            await _LOCK_EXTERNAL_IDS.execute(self._connection, owner_id=owner_id)

    async def find_by_external_ids(
        self, owner_id: UUID, external_ids: Collection[str], *, lock: bool
    ) -> Sequence[Task]:
        cursor = await FIND_BY_EXTERNAL_IDS.run(self._connection, owner_id=owner_id, external_ids=list(external_ids))
        task_ids = [row[0] for row in await cursor.fetchall()]
        if not task_ids:
            return []
        cursor = await (_LOCK_ALL if lock else _GET_ALL).run(self._connection, task_ids=task_ids)
        found = map(decode_task, await cursor.fetchall())
        # Another transaction may have changed a task between the two statements.
        return [task for task in found if task.external_id in external_ids and task.deleted_at is None]

    async def _fetch_one(self, statement: Statement, task_id: UUID) -> Task | None:
        row = await statement.fetch_one(self._connection, id=task_id)
        return decode_task(row) if row else None


def _parameters(task: Task) -> dict[str, Any]:
    return dict(zip(Task._fields, encode_task(task), strict=True))


def _tasks_parameter(tasks: Iterable[Task]) -> Jsonb:
    return json_rows(task._asdict() for task in tasks)
