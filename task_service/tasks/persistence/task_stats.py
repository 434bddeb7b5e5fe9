"""Counts of tasks in Postgres. Visibility and overdue are defined as in lists."""

from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

from sqlalchemy import text

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from task_service.tasks.domain.stats import Stats
from task_service.tasks.domain.task_query import IdRange, TaskQuery
from task_service.tasks.domain.values import Status
from task_service.tasks.persistence.task_filters import IS_OVERDUE, VISIBLE, FilterShape, analyze, conditions


@lru_cache(maxsize=100)
def _statements(shape: FilterShape) -> tuple[Statement, Statement]:
    visibility = [VISIBLE] if shape.has_visible_to else []
    by_status = f"""
        SELECT status, count(*), count(*) FILTER (WHERE {IS_OVERDUE}) FROM tasks
        WHERE {conditions(shape, *visibility)} GROUP BY status
    """  # noqa: S608 - constants
    per_day = f"""
        SELECT CAST(timezone('UTC', completed_at) AS date) AS day, count(*) FROM tasks
        WHERE {conditions(shape, *visibility, "completed_at >= :since")} GROUP BY day
    """  # noqa: S608 - constants
    return Statement(text(by_status)), Statement(text(per_day))


async def read_stats(
    connection: Connection, query: TaskQuery, *, first_day: date, today: date, id_range: IdRange
) -> Stats:
    """Return the counts of a query's tasks in a range of ids; completions from `first_day` on."""
    shape, values = analyze(query, today, id_range)
    parameters: dict[str, Any] = {**values, "today": today, "since": datetime.combine(first_day, time(), UTC)}
    by_status, per_day = _statements(shape)
    rows = await (await by_status.run(connection, **parameters)).fetchall()
    days = await (await per_day.run(connection, **parameters)).fetchall()
    return Stats(
        {Status(status): count for status, count, _ in rows},
        sum(overdue for _, _, overdue in rows),
        {day: count for day, count in days},  # noqa: C416 - rows are tuples of Any
    )
