"""Repository of task lists, totals and counts in Postgres. Each section reads a bounded number of rows."""

from collections import Counter
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from chassis.database.connection import Connection
from chassis.database.statement import Statement
from chassis.kernel.errors import QueryTooExpensive
from chassis.kernel.pagination import Section
from task_service.persistence.tables import imports
from task_service.tasks.domain.listed_task import ListedTask, page_key
from task_service.tasks.domain.stats import Stats
from task_service.tasks.domain.task_query import TaskQuery
from task_service.tasks.domain.values import Status
from task_service.tasks.persistence.list_statements import (
    count_statement,
    end_statement,
    page_statement,
    sorted_page_statement,
    stats_statement,
)
from task_service.tasks.persistence.page_keys import decode_page_key
from task_service.tasks.persistence.scan_paths import (
    ImportScope,
    ScanPath,
    choose_count_path,
    choose_path,
    range_values,
)
from task_service.tasks.persistence.task_filters import FilterShape, analyze

_FIND_SCOPE = Statement(
    select(*(imports.c[name] for name in ImportScope._fields)).where(imports.c.id == bindparam("id"))
)


class _Plan(NamedTuple):
    """Path of a query, the shape of its filters, and its parameters."""

    path: ScanPath
    shape: FilterShape
    values: dict[str, Any]


class SqlTaskLists:
    """Task lists, totals and counts on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read_section(
        self, query: TaskQuery, after: bytes, today: date, *, limit: int, max_rows: int, max_sorted: int
    ) -> Section[ListedTask]:
        scope = await self._find_scope(query)
        if query.import_id and scope is None:
            return Section([], b"")
        path = choose_path(query, scope)
        if path.order is not query.order:
            plan = _plan(query, path, scope, b"", today)
            return await self._read_sorted(query, plan, after, limit=limit, max_sorted=max_sorted)
        plan = _plan(query, path, scope, after, today)
        statement = page_statement(plan.shape, path)
        cursor = await statement.run(self._connection, **plan.values, limit=limit, max_rows=max_rows)
        tasks, end = list(map(ListedTask._make, await cursor.fetchall())), b""
        if tasks and not tasks[-1].owner_id:
            end = tasks.pop().page_key
        return Section(tasks, end)

    async def count_section(
        self, query: TaskQuery, after: bytes, today: date, *, limit: int, max_rows: int
    ) -> tuple[int, bytes]:
        scope = await self._find_scope(query)
        if query.import_id and scope is None:
            return 0, b""
        plan = _plan(query, choose_path(query, scope), scope, after, today)
        statement = count_statement(plan.shape, plan.path)
        cursor = await statement.run(self._connection, **plan.values, limit=limit, max_rows=max_rows)
        (count, *_), *ends = await cursor.fetchall()
        return int(count), page_key(ends[0][1], ends[0][2]) if ends else b""

    async def stats_section(
        self, query: TaskQuery, after: bytes, today: date, *, first_day: date, max_rows: int
    ) -> tuple[Stats, bytes]:
        plan = _plan(query, choose_count_path(query), None, after, today)
        statement = stats_statement(plan.shape, plan.path)
        since = datetime.combine(first_day, time(), UTC)
        cursor = await statement.run(self._connection, **plan.values, since=since, max_rows=max_rows)
        by_status: Counter[Status] = Counter()
        per_day: Counter[date] = Counter()
        overdue, end = 0, b""
        for status, day, count, overdue_count, end_id, end_key in await cursor.fetchall():
            if end_id:
                end = page_key(end_id, end_key)
                continue
            by_status[Status(status)] += count
            overdue += overdue_count
            if day:
                per_day[day] += count
        return Stats(by_status, overdue, per_day), end

    async def _read_sorted(
        self, query: TaskQuery, plan: _Plan, after: bytes, *, limit: int, max_sorted: int
    ) -> Section[ListedTask]:
        if not plan.path.has_few_rows:
            cursor = await end_statement(plan.path).run(self._connection, **plan.values, max_rows=max_sorted + 1)
            if await cursor.fetchone():
                raise QueryTooExpensive(
                    field="order_by",
                    cause=f"no index gives this order, and there are more than {max_sorted} tasks to sort",
                    remedy="Use the order created_at; or due_date or updated_at of the tasks of one owner or assignee;"
                    " or narrow created_after and created_before",
                )
        statement = sorted_page_statement(plan.shape, plan.path, query.order, has_after=bool(after))
        values = {**plan.values, "limit": limit, "max_rows": max_sorted}
        if after:
            values["after_key"], values["after_id"] = decode_page_key(after, query.order)
        cursor = await statement.run(self._connection, **values)
        return Section(list(map(ListedTask._make, await cursor.fetchall())), b"")

    async def _find_scope(self, query: TaskQuery) -> ImportScope | None:
        """Return the scope of the import that the query names. None for an unknown import, which has no tasks."""
        if query.import_id is None:
            return None
        row = await _FIND_SCOPE.fetch_one(self._connection, id=query.import_id)
        return ImportScope._make(row) if row else None


def _plan(query: TaskQuery, path: ScanPath, scope: ImportScope | None, after: bytes, today: date) -> _Plan:
    shape, values = analyze(query, today)
    key = decode_page_key(after, path.order) if after else None
    return _Plan(path, shape, {**values, **range_values(query, path, scope, key, today)})
