"""Statements of task lists, totals and counts. Each combination of filters, path and order has its own statement.

A statement reads at most `max_rows` rows of its path, whatever matches. Its last row, which has no owner, is then the
last row that it read. That row is only computed if the others do not fill the page, and it belongs to the same
snapshot: a task that is purged between two statements would shift the end by one.

Pagination is by key, not by offset. Insertions and deletions between two pages therefore neither repeat nor skip a
task that stays.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Column, Date, DateTime, Uuid, text

from chassis.database.statement import Statement
from task_service.persistence.tables import tasks
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_query import Order
from task_service.tasks.persistence.page_keys import SORT_KEYS
from task_service.tasks.persistence.scan_paths import Part, ScanPath
from task_service.tasks.persistence.task_filters import IS_OVERDUE, FilterShape, conditions

COLUMNS = [tasks.c[name] for name in Task._fields]

_COLUMN_NAMES = ", ".join(Task._fields)
_NO_VALUES = ", ".join(["NULL"] * (len(Task._fields) - 1))


def _listed(column: Column[Any]) -> str:
    """Return the expression of a column's value in a ListedTask."""
    match column.type:
        case DateTime():
            return f"CAST(extract(epoch FROM {column.name}) * 1000000 AS bigint)"
        case Uuid() | Date() | BigInteger():
            return f"coalesce(CAST({column.name} AS text), '')"
    return column.name


_LISTED_COLUMNS = ", ".join(map(_listed, COLUMNS))

# A limit in a subselect is unknown to the planner, which then wants the first rows early. So it reads the index in its
# order: with a known limit above the number of rows that it expects, wrongly, it would read and sort all of them.
_LIMIT = "LIMIT (SELECT CAST(:max_rows AS bigint))"

# The parts are constants of this package: values are always parameters.
# ruff: noqa: S608


@lru_cache(maxsize=1000)
def page_statement(shape: FilterShape, path: ScanPath) -> Statement:
    """Return the statement of a page in the order of the path.

    A row is a ListedTask. The row of the end has only an id and a sort key.
    """
    key = _sort_key(path)
    rows = f"""
        SELECT {_COLUMN_NAMES}, {key} AS key FROM ({_scan(path, "tasks.*")}) AS task
        WHERE {_filters(shape, path)} ORDER BY {_ordering(path)} LIMIT :limit
    """
    end = _end(path, f"id, {_NO_VALUES}, {key}")
    return _listed_statement(f"({rows}) UNION ALL ({end}) LIMIT :limit")


@lru_cache(maxsize=1000)
def sorted_page_statement(shape: FilterShape, path: ScanPath, order: Order, *, has_after: bool) -> Statement:
    """Return the statement of a page in an order that the path does not have: it sorts all rows of the path."""
    key = SORT_KEYS.get(order)
    keys = [key.expression, "id"] if key else ["id"]
    after = [f"CAST(:after_key AS {key.type})", ":after_id"] if key else [":after_id"]
    comparison = "<" if path.descending else ">"
    more = [f"{_row(keys)} {comparison} {_row(after)}"] if has_after else []
    return _listed_statement(f"""
        SELECT {_COLUMN_NAMES}, CAST({key.expression if key else "''"} AS text) AS key
        FROM ({_scan(path, "tasks.*")}) AS task WHERE {_filters(shape, path, *more)}
        ORDER BY {", ".join(f"{each} {_direction(path)}" for each in keys)} LIMIT :limit
    """)


@lru_cache(maxsize=100)
def end_statement(path: ScanPath) -> Statement:
    """Return the statement that finds the last of `max_rows` rows of the path."""
    return Statement(text(_end(path, "id")))


@lru_cache(maxsize=1000)
def count_statement(shape: FilterShape, path: ScanPath) -> Statement:
    """Return the statement that counts matches, up to `limit`. A row has a count, or the id and sort key of the end."""
    matches = f"SELECT FROM ({_scan(path, 'tasks.*')}) AS task WHERE {_filters(shape, path)} LIMIT :limit"
    counts = f"SELECT count(*), CAST(NULL AS uuid), CAST(NULL AS text) FROM ({matches}) AS matches"
    return Statement(text(f"({counts}) UNION ALL ({_end(path, f'NULL, id, {_sort_key(path)}')})"))


@lru_cache(maxsize=1000)
def stats_statement(shape: FilterShape, path: ScanPath) -> Statement:
    """Return the statement that counts by status and by day of completion.

    Its last row has the id and the sort key of the end.
    """
    counts = f"""
        SELECT status, CASE WHEN completed_at >= :since THEN CAST(timezone('UTC', completed_at) AS date) END AS day,
            count(*), count(*) FILTER (WHERE {IS_OVERDUE}), CAST(NULL AS uuid), CAST(NULL AS text)
        FROM ({_scan(path, "tasks.*")}) AS task WHERE {_filters(shape, path)} GROUP BY status, day
    """
    return Statement(text(f"({counts}) UNION ALL ({_end(path, f'NULL, NULL, NULL, NULL, id, {_sort_key(path)}')})"))


def _listed_statement(rows: str) -> Statement:
    """Return the statement that gives the rows as ListedTasks. Only rows of the page are converted, not sorted ones."""
    return Statement(text(f"SELECT {_LISTED_COLUMNS}, key FROM ({rows}) AS page"))


def _sort_key(path: ScanPath) -> str:
    return "CAST(scan_key AS text)" if path.order in SORT_KEYS else "''"


def _scan(path: ScanPath, columns: str) -> str:
    """Return the query of up to `max_rows` rows of the path, in its order."""
    parts = [_part(path, part, columns) for part in path.parts]
    if len(parts) == 1:
        return f"{parts[0]} {_LIMIT}"
    # Merges scans that are already sorted. One scan with OR would sort all tasks that the user may see.
    union = " UNION ALL ".join(f"({part} {_LIMIT})" for part in parts)
    names = ", ".join(_key_names(path))
    return f"SELECT DISTINCT ON ({names}) * FROM ({union}) AS parts ORDER BY {_ordering(path)} {_LIMIT}"


def _part(path: ScanPath, part: Part, columns: str) -> str:
    key = SORT_KEYS.get(path.order)
    expressions, low, high = ["id"], [":low_id"], [":high_id"]
    if key:
        expressions.insert(0, key.expression)
        low.insert(0, f"CAST(:low_key AS {key.type})")
        high.insert(0, f"CAST(:high_key AS {key.type})")
    if part.column:
        expressions.insert(0, part.column)
        low.insert(0, part.value)
        high.insert(0, part.value)
    names = _key_names(path)[:-1]
    selected = [f"{expression} AS {name}" for expression, name in zip(expressions, names, strict=False)]
    # A comparison of rows starts in the index at the key. The order has the first column although it has one value, so
    # only this index gives it.
    where = [f"{_row(expressions)} > {_row(low)}", f"{_row(expressions)} < {_row(high)}"]
    source = "tasks"
    if part.has_few_rows:
        # The planner does not see the order through an OFFSET. For the order, it would read all tasks of the owner.
        source = f"(SELECT * FROM tasks WHERE {part.condition} OFFSET 0) AS tasks"
    elif part.condition:
        where.append(part.condition)
    if path.in_trash and part.column == "owner_id":
        where.append("deleted_at IS NOT NULL")
    if path.order is Order.DUE_DATE:
        where.append("deleted_at IS NULL")
    ordering = ", ".join(f"{expression} {_direction(path)}" for expression in expressions)
    return f"SELECT {', '.join([*selected, columns])} FROM {source} WHERE {' AND '.join(where)} ORDER BY {ordering}"


def _row(expressions: Sequence[str]) -> str:
    return f"({', '.join(expressions)})"


def _end(path: ScanPath, columns: str) -> str:
    return f"SELECT {columns} FROM ({_scan(path, 'id')}) AS scanned OFFSET :max_rows - 1 LIMIT 1"


def _filters(shape: FilterShape, path: ScanPath, *more: str) -> str:
    in_id_range = [] if path.order is Order.CREATED_AT else ["id > :first_id", "id < :last_id"]
    # A filter that the path has already would only need a further column, which the index of the path may not have.
    left = shape._replace(filters=shape.filters - path.matched_filters)
    return conditions(left, *more, *in_id_range)


def _key_names(path: ScanPath) -> list[str]:
    prefix = ["scan_prefix"] if path.parts[0].column else []
    return [*prefix, *(["scan_key"] if path.order in SORT_KEYS else []), "id"]


def _ordering(path: ScanPath) -> str:
    return ", ".join(f"{name} {_direction(path)}" for name in _key_names(path))


def _direction(path: ScanPath) -> str:
    return "DESC" if path.descending else "ASC"
