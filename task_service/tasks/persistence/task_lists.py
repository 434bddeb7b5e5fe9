"""Statements of task lists. Each combination of filters and order has its own statement.

Pagination is by key, not by offset. Insertions and deletions between two pages therefore neither repeat nor skip a
task that stays.
"""

from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import text

from chassis.database.statement import Statement
from chassis.kernel.pagination import PageRequest
from task_service.persistence.tables import tasks
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_query import IdRange, Order, TaskQuery
from task_service.tasks.persistence.page_keys import SORT_KEYS, decode_page_key
from task_service.tasks.persistence.task_filters import (
    ASSIGNED,
    OWNED,
    VISIBLE,
    FilterShape,
    analyze,
    conditions,
    indexed_conditions,
    lookup_by_external_id,
    source,
)

COLUMNS = [tasks.c[name] for name in Task._fields]

_COLUMN_NAMES = ", ".join(Task._fields)
_FIRST_DAY_OF_ALL = date.min

# The parts are constants of this package: values are always parameters.
# ruff: noqa: S608


def page_statement(
    query: TaskQuery, request: PageRequest, today: date, until: UUID | None = None
) -> tuple[Statement, dict[str, Any]]:
    """Return the statement of a page and its parameters. A row is a task's columns and the text of its sort key.

    With `until`, which is for lists by created_at, the page ends at that id.
    """
    shape, values = analyze(query, today, IdRange(until=until))
    values["limit"] = request.size + 1
    if request.after:
        values["after_id"], values["after_key"] = decode_page_key(request.after, query.order)
    return _compile_page(shape, query.order, bool(request.after)), values


def count_statement(query: TaskQuery, today: date, id_range: IdRange) -> tuple[Statement, dict[str, Any]]:
    """Return the statement that counts the tasks of a list in a range of ids, and its parameters."""
    shape, values = analyze(query, today, id_range)
    return _compile_count(shape), values


def step_end_statement(query: TaskQuery, after: UUID | None, row_count: int) -> tuple[Statement, dict[str, Any]]:
    """Return the statement that finds the last of the next rows that a scan of the query reads."""
    shape, values = analyze(query, _FIRST_DAY_OF_ALL, IdRange(after=after))
    # Filters that choose no index are left out, so that different filters have the same statement.
    shape = shape._replace(filters=shape.filters & {"owner_id", "assignee_id", "import_id"}, words_with_forms=0)
    return _compile_step_end(shape), {**values, "row_count": row_count}


@lru_cache(maxsize=1000)
def _compile_page(shape: FilterShape, order: Order, has_after: bool) -> Statement:  # noqa: FBT001 - of a cache
    if not shape.has_visible_to:
        return Statement(text(_page_sql(shape, order, has_after=has_after)))
    # Merge two index scans that are already sorted. One scan with OR would sort all tasks that the user may see.
    owned, assigned = (_page_sql(shape, order, one, has_after=has_after) for one in (OWNED, ASSIGNED))
    key = SORT_KEYS.get(order)
    ordering = _ordering([f"CAST(key AS {key.type}){key.collation}", "id"] if key else ["id"], shape)
    rows = f"({owned}) UNION ALL ({assigned})"
    return Statement(text(f"SELECT * FROM ({rows}) AS visible ORDER BY {ordering} LIMIT :limit"))


def _page_sql(shape: FilterShape, order: Order, *visibility: str, has_after: bool) -> str:
    key = SORT_KEYS.get(order)
    more = list(visibility)
    if owner := ":visible_to" if OWNED in visibility else ":owner_id" if "owner_id" in shape.filters else "":
        shape, lookup = lookup_by_external_id(shape, owner)
        more = lookup or more
    if has_after:
        comparison = "<" if shape.descending else ">"
        more.append(
            f"({key.expression}, id) {comparison} (CAST(:after_key AS {key.type}), :after_id)"
            if key
            else f"id {comparison} :after_id"
        )
    ordering = _ordering([key.expression, "id"] if key else ["id"], shape)
    return (
        f"SELECT {_COLUMN_NAMES}, CAST({key.expression if key else 'NULL'} AS text) AS key FROM {source(shape)} AS task"
        f" WHERE {conditions(shape, *more)} ORDER BY {ordering} LIMIT :limit"
    )


def _ordering(expressions: list[str], shape: FilterShape) -> str:
    direction = "DESC" if shape.descending else "ASC"
    return ", ".join(f"{expression} {direction}" for expression in expressions)


@lru_cache(maxsize=1000)
def _compile_count(shape: FilterShape) -> Statement:
    visibility = [VISIBLE] if shape.has_visible_to else []
    return Statement(text(f"SELECT count(*) FROM {source(shape)} AS task WHERE {conditions(shape, *visibility)}"))


@lru_cache(maxsize=100)
def _compile_step_end(shape: FilterShape) -> Statement:
    def step(*visibility: str) -> str:
        where = indexed_conditions(shape, *visibility)
        return f"SELECT id FROM tasks WHERE {where} ORDER BY {ordering} LIMIT :row_count"

    ordering = _ordering(["id"], shape)
    rows = f"({step(OWNED)}) UNION ALL ({step(ASSIGNED)})" if shape.has_visible_to else step()
    return Statement(text(f"SELECT id FROM ({rows}) AS visible ORDER BY {ordering} OFFSET :row_count - 1 LIMIT 1"))
