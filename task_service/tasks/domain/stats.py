"""Counts of tasks."""

from collections.abc import Mapping
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


def first_day(days: int, today: date) -> date:
    """Return the first of the last `days` days, including today; 0 is the default. Raises DaysOutOfRange."""
    if not 0 <= days <= MAX_DAYS:
        raise DaysOutOfRange(limit=MAX_DAYS)
    return today - timedelta(days=(days or DEFAULT_DAYS) - 1)


def days_between(first: date, today: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((today - first).days + 1)]
