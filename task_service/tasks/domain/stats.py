"""Counts of tasks."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from task_service.tasks.domain.errors import DaysOutOfRange
from task_service.tasks.domain.values import Status

DEFAULT_DAYS = 30
MAX_DAYS = 366


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of live tasks. A status or a day without tasks may be absent."""

    by_status: Mapping[Status, int]
    overdue: int
    completed_per_day: Mapping[date, int]


def merge_stats(parts: Iterable[Stats]) -> Stats:
    """Return the sum of the counts of disjoint sets of tasks."""
    by_status: Counter[Status] = Counter()
    per_day: Counter[date] = Counter()
    overdue = 0
    for part in parts:
        by_status.update(part.by_status)
        per_day.update(part.completed_per_day)
        overdue += part.overdue
    return Stats(by_status, overdue, per_day)


def first_day(days: int, today: date) -> date:
    """Return the first of the last `days` days, including today; 0 is the default. Raises DaysOutOfRange."""
    if not 0 <= days <= MAX_DAYS:
        raise DaysOutOfRange(limit=MAX_DAYS)
    return today - timedelta(days=(days or DEFAULT_DAYS) - 1)


def days_between(first: date, today: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((today - first).days + 1)]
