"""Counts of tasks in Postgres. Visibility and overdue are defined as in lists."""

from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, cast, func, select
from sqlalchemy.types import Date, DateTime

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from task_service.persistence.tables import tasks
from task_service.tasks.domain.stats import Stats
from task_service.tasks.domain.values import Status
from task_service.tasks.persistence.task_lists import IS_OVERDUE, VISIBLE

_IS_OF_OWNER = tasks.c.owner_id == bindparam("owner_id")
_IS_LIVE = tasks.c.deleted_at.is_(None)


@lru_cache(maxsize=4)
def _statements(*, has_visible_to: bool, has_owner_id: bool) -> tuple[Statement, Statement]:
    conditions: list[ColumnElement[bool]] = [_IS_LIVE]
    conditions += [VISIBLE] if has_visible_to else []
    conditions += [_IS_OF_OWNER] if has_owner_id else []
    overdue = func.count().filter(IS_OVERDUE)
    by_status = select(tasks.c.status, func.count(), overdue).where(*conditions).group_by(tasks.c.status)
    day = cast(func.timezone("UTC", tasks.c.completed_at), Date)
    per_day = (
        select(day, func.count())
        .where(*conditions, tasks.c.completed_at >= bindparam("since", type_=DateTime(timezone=True)))
        .group_by(day)
    )
    return Statement(by_status), Statement(per_day)


async def read_stats(
    connection: Connection, *, visible_to: UUID | None, owner_id: UUID | None, first_day: date, today: date
) -> Stats:
    """Return the counts of tasks that match the query; completions from `first_day` on."""
    by_status, per_day = _statements(has_visible_to=visible_to is not None, has_owner_id=owner_id is not None)
    values: dict[str, Any] = {"visible_to": visible_to, "owner_id": owner_id, "today": today}
    rows = await (await by_status.run(connection, **values)).fetchall()
    since = datetime.combine(first_day, time(), UTC)
    days = await (await per_day.run(connection, **values, since=since)).fetchall()
    return Stats(
        {Status(status): count for status, count, _ in rows},
        sum(overdue for _, _, overdue in rows),
        {day: count for day, count in days},  # noqa: C416 - rows are tuples of Any
    )
