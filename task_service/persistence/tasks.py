"""Tasks in Postgres."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Text, and_, any_, bindparam, delete, insert, select, update

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from chassis.database.unit_of_work import constraints
from chassis.kernel import Page, PageRequest
from task_service.domain.errors import ExternalIdTaken
from task_service.domain.task import Task
from task_service.domain.values import Priority, Status
from task_service.persistence.tables import imports, tasks
from task_service.usecases.ports import TaskQuery

_LABELS = Task._fields.index("labels")

COLUMNS = [tasks.c[name] for name in Task._fields]

_GET = Statement(select(*COLUMNS).where(tasks.c.id == bindparam("id")))
_LOCK = Statement(select(*COLUMNS).where(tasks.c.id == bindparam("id")).with_for_update())
_ADD = Statement(insert(tasks), columns=Task._fields)
_UPDATE = Statement(
    update(tasks)
    .where(tasks.c.id == bindparam("id"))
    .values({name: bindparam(name) for name in Task._fields if name != "id"})
)
_REMOVE = Statement(delete(tasks).where(tasks.c.id == bindparam("id")))
# Whoever undeletes or purges one of them just now is not waited for.
_DUE = Statement(
    select(*COLUMNS)
    .where(tasks.c.purge_at <= bindparam("now"))
    .order_by(tasks.c.purge_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_TAKEN = Statement(
    select(tasks.c.external_id).where(
        tasks.c.owner_id == bindparam("owner_id"),
        tasks.c.external_id == any_(bindparam("among", type_=ARRAY(Text))),
        tasks.c.external_id != "",
        tasks.c.deleted_at.is_(None),
    )
)

_CONSTRAINTS = {"tasks_external_id_unique": ExternalIdTaken}


class _Shape(NamedTuple):
    """Which restrictions a list has: each shape is one statement."""

    owner: bool
    statuses: bool
    made_by_import: bool
    deleted: bool
    after: bool


@cache
def _list_statement(shape: _Shape) -> Statement:
    conditions = []
    if shape.owner:
        conditions.append(tasks.c.owner_id == bindparam("owner_id"))
    if shape.statuses:
        conditions.append(tasks.c.status == any_(bindparam("statuses", type_=ARRAY(Text))))
    if shape.made_by_import:
        # An import's tasks are its owner's: with that the index by owner serves this list as well.
        owner = select(imports.c.owner_id).where(imports.c.id == bindparam("import_id")).scalar_subquery()
        conditions += [tasks.c.import_id == bindparam("import_id"), tasks.c.owner_id == owner]
    if not shape.deleted:
        conditions.append(tasks.c.deleted_at.is_(None))
    if shape.after:
        conditions.append(tasks.c.id < bindparam("after"))
    query = select(*COLUMNS).where(and_(True, *conditions))
    return Statement(query.order_by(tasks.c.id.desc()).limit(bindparam("most")))


class SqlTasks:
    """The tasks, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, task: Task) -> None:
        with constraints(_CONSTRAINTS):
            await _ADD.run(self._connection, **_values(task))

    async def get(self, task_id: UUID) -> Task | None:
        return await self._one(_GET, task_id)

    async def lock(self, task_id: UUID) -> Task | None:
        return await self._one(_LOCK, task_id)

    async def update(self, task: Task) -> None:
        with constraints(_CONSTRAINTS):
            await _UPDATE.run(self._connection, **_values(task))

    async def remove(self, task_id: UUID) -> None:
        await _REMOVE.run(self._connection, id=task_id)

    async def due_for_purge(self, now: datetime, most: int) -> Sequence[Task]:
        cursor = await _DUE.run(self._connection, now=now, most=most)
        return [_task(row) for row in await cursor.fetchall()]

    async def external_ids_taken(self, owner_id: UUID, among: Collection[str]) -> set[str]:
        cursor = await _TAKEN.run(self._connection, owner_id=owner_id, among=list(among))
        return {row[0] for row in await cursor.fetchall()}

    async def page(self, query: TaskQuery, request: PageRequest) -> Page[Task]:
        shape = _Shape(
            query.owner_id is not None,
            bool(query.statuses),
            query.import_id is not None,
            query.show_deleted,
            bool(request.after),
        )
        values: dict[str, Any] = {
            "owner_id": query.owner_id,
            "statuses": sorted(query.statuses),
            "import_id": query.import_id,
            "after": UUID(bytes=request.after) if request.after else None,
            "most": request.size + 1,
        }
        cursor = await _list_statement(shape).run(self._connection, **values)
        return request.page([_task(row) for row in await cursor.fetchall()], lambda task: task.id.bytes)

    async def _one(self, statement: Statement, task_id: UUID) -> Task | None:
        cursor = await statement.run(self._connection, id=task_id)
        row = await cursor.fetchone()
        return _task(row) if row else None


def row_of(task: Task) -> tuple[Any, ...]:
    """A task as the table holds it, in the order of its columns: to psycopg a tuple is a record, a list an array."""
    return (*task[:_LABELS], list(task.labels), *task[_LABELS + 1 :])


def _values(task: Task) -> dict[str, Any]:
    return dict(zip(Task._fields, row_of(task), strict=True))


def _task(row: tuple[Any, ...]) -> Task:
    task = Task._make(row)
    return task._replace(status=Status(task.status), priority=Priority(task.priority), labels=tuple(task.labels))
