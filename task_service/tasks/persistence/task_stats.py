"""Counts of tasks in Postgres, with the same visibility and the same meaning of overdue as lists."""

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
from task_service.tasks.persistence.task_lists import OVERDUE, SEEN

_OWNED = tasks.c.owner_id == bindparam("owner_id")
_LIVE = tasks.c.deleted_at.is_(None)


@lru_cache(maxsize=4)
def _statements(*, seen: bool, owned: bool) -> tuple[Statement, Statement]:
    sight: list[ColumnElement[bool]] = [_LIVE]
    sight += [SEEN] if seen else []
    sight += [_OWNED] if owned else []
    overdue = func.count().filter(OVERDUE)
    by_status = select(tasks.c.status, func.count(), overdue).where(*sight).group_by(tasks.c.status)
    day = cast(func.timezone("UTC", tasks.c.completed_at), Date)
    per_day = (
        select(day, func.count())
        .where(*sight, tasks.c.completed_at >= bindparam("since", type_=DateTime(timezone=True)))
        .group_by(day)
    )
    return Statement(by_status), Statement(per_day)


async def stats_of(
    connection: Connection, *, seen_by: UUID | None, owner_id: UUID | None, first: date, today: date
) -> Stats:
    """Return the counts of tasks that match the query; completions from the first day on."""
    by_status, per_day = _statements(seen=seen_by is not None, owned=owner_id is not None)
    values: dict[str, Any] = {"seen_by": seen_by, "owner_id": owner_id, "today": today}
    rows = await (await by_status.run(connection, **values)).fetchall()
    since = datetime.combine(first, time(), UTC)
    days = await (await per_day.run(connection, **values, since=since)).fetchall()
    return Stats(
        {Status(status): count for status, count, _ in rows},
        sum(overdue for _, _, overdue in rows),
        {day: count for day, count in days},  # noqa: C416 - rows are tuples of Any
    )
