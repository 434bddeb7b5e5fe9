"""Statements of task lists. Each combination of filters and order has its own statement, compiled at first use.

Pagination is by key, not by offset. Insertions and deletions between two pages therefore neither repeat nor skip a
task that stays.
"""

from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    text,
    tuple_,
    union_all,
)
from sqlalchemy.types import TypeEngine

from chassis.database.statement import Statement
from chassis.kernel.pagination import InvalidPageToken, PageRequest
from task_service.persistence.tables import imports, tasks
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_query import DeletedFilter, Order, TaskQuery
from task_service.tasks.domain.values import OPEN_STATUSES, Priority

COLUMNS = [tasks.c[name] for name in Task._fields]

_PRIORITIES_ASCENDING = ", ".join(f"'{priority}'" for priority in Priority)

_TEXT_ARRAY = ARRAY(Text)


class _SortKey(NamedTuple):
    """Sort key of a list before the id. Expressions are written as in the index that serves them."""

    expression: ColumnElement[Any]
    type: TypeEngine[Any]


_SORT_KEYS = {
    Order.UPDATED_AT: _SortKey(tasks.c.updated_at, DateTime(timezone=True)),
    Order.DUE_DATE: _SortKey(literal_column("coalesce(tasks.tasks.due_date, 'infinity'::date)"), Date()),
    Order.PRIORITY: _SortKey(
        literal_column(f"array_position(ARRAY[{_PRIORITIES_ASCENDING}], tasks.tasks.priority)"),
        Integer(),
    ),
    # This collation ignores case and sorts alike on every server: it does not depend on the database's locale.
    Order.TITLE: _SortKey(literal_column('lower(tasks.tasks.title COLLATE "pg_c_utf8")'), Text()),
}

_OWNED = tasks.c.owner_id == bindparam("visible_to")
_ASSIGNED = tasks.c.assignee_id == bindparam("visible_to")
_NOT_OWNED = tasks.c.owner_id != bindparam("visible_to")
VISIBLE = or_(_OWNED, _ASSIGNED)

IS_OVERDUE = and_(
    tasks.c.due_date < bindparam("today"), or_(*(tasks.c.status == status.value for status in OPEN_STATUSES))
)

# The tasks of an import belong to its owner, so the index by owner serves this list too.
_IS_OF_IMPORT = and_(
    tasks.c.import_id == bindparam("import_id"),
    tasks.c.owner_id == select(imports.c.owner_id).where(imports.c.id == bindparam("import_id")).scalar_subquery(),
)

# Keys are the names of the filters' parameters.
_FILTERS: dict[str, ColumnElement[bool]] = {
    "owner_id": tasks.c.owner_id == bindparam("owner_id"),
    "statuses": tasks.c.status == any_(bindparam("statuses", type_=_TEXT_ARRAY)),
    "priorities": tasks.c.priority == any_(bindparam("priorities", type_=_TEXT_ARRAY)),
    "labels_any": tasks.c.labels.op("&&")(bindparam("labels_any", type_=_TEXT_ARRAY)),
    "labels_all": tasks.c.labels.op("@>")(bindparam("labels_all", type_=_TEXT_ARRAY)),
    "assignee_id": tasks.c.assignee_id == bindparam("assignee_id"),
    "import_id": _IS_OF_IMPORT,
    "due_before": tasks.c.due_date < bindparam("due_before"),
    "due_after": tasks.c.due_date > bindparam("due_after"),
    "created_before": tasks.c.created_at < bindparam("created_before"),
    "created_after": tasks.c.created_at > bindparam("created_after"),
    "updated_before": tasks.c.updated_at < bindparam("updated_before"),
    "updated_after": tasks.c.updated_at > bindparam("updated_after"),
    "today": IS_OVERDUE,
    "patterns": text(  # type: ignore[dict-item]
        '(tasks.tasks.title || chr(10) || tasks.tasks.description) COLLATE "pg_c_utf8" ILIKE ALL (:patterns)'
    ),
}
_DELETED_FILTERS = {
    DeletedFilter.EXCLUDE: tasks.c.deleted_at.is_(None),
    DeletedFilter.INCLUDE: None,
    DeletedFilter.ONLY: tasks.c.deleted_at.is_not(None),
}


class _QueryShape(NamedTuple):
    """Shape of a list query. Queries with equal shapes use the same statement."""

    filters: frozenset[str]
    has_visible_to: bool
    deleted: DeletedFilter
    order: Order
    descending: bool
    has_after: bool


def page_statement(query: TaskQuery, request: PageRequest, today: date) -> tuple[Statement, dict[str, Any]]:
    """Return the statement of a page and its parameters. A row is a task's columns and the text of its sort key."""
    shape, values = _analyze(query, today, has_after=bool(request.after))
    values["limit"] = request.size + 1
    if request.after:
        try:
            values["after_id"] = UUID(bytes=request.after[:16])
            values["after_key"] = request.after[16:].decode()
        except ValueError:  # UnicodeDecodeError is a ValueError
            raise InvalidPageToken from None
    return _compile_page(shape), values


def page_key(row: tuple[Any, ...]) -> bytes:
    """Return the key after which the next page continues."""
    task_id: UUID = row[0]
    return task_id.bytes + str(row[-1] or "").encode()


def count_statement(query: TaskQuery, today: date) -> tuple[Statement, dict[str, Any]]:
    """Return the statement that counts a list, and its parameters."""
    shape, values = _analyze(query, today, has_after=False)
    return _compile_count(shape._replace(order=Order.CREATED_AT, descending=True)), values


def _analyze(query: TaskQuery, today: date, *, has_after: bool) -> tuple[_QueryShape, dict[str, Any]]:
    values: dict[str, Any] = {
        "owner_id": query.owner_id,
        "statuses": list(query.statuses),
        "priorities": list(query.priorities),
        "labels_any": list(query.labels_any),
        "labels_all": list(query.labels_all),
        "assignee_id": query.assignee_id,
        "import_id": query.import_id,
        "due_before": query.due_before,
        "due_after": query.due_after,
        "created_before": query.created_before,
        "created_after": query.created_after,
        "updated_before": query.updated_before,
        "updated_after": query.updated_after,
        "today": today if query.overdue else None,
        "patterns": [f"%{_escape_like(word)}%" for word in query.words],
    }
    used = frozenset(name for name, value in values.items() if value)
    shape = _QueryShape(used, query.visible_to is not None, query.deleted, query.order, query.descending, has_after)
    return shape, {**values, "visible_to": query.visible_to}


def _escape_like(word: str) -> str:
    """Return the word with ILIKE's special characters escaped."""
    return word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


def _conditions(shape: _QueryShape) -> list[ColumnElement[bool]]:
    conditions = [_FILTERS[name] for name in sorted(shape.filters)]
    deleted = _DELETED_FILTERS[shape.deleted]
    return conditions if deleted is None else [*conditions, deleted]


@lru_cache(maxsize=1000)
def _compile_page(shape: _QueryShape) -> Statement:
    if not shape.has_visible_to:
        return Statement(_select_page(shape))
    # Merge two index scans that are already sorted. One scan with OR would sort all tasks that the user may see.
    owned, assigned = _select_page(shape, _OWNED).subquery(), _select_page(shape, _ASSIGNED, _NOT_OWNED).subquery()
    both = union_all(select(owned), select(assigned)).subquery()
    key = _SORT_KEYS.get(shape.order)
    order = [both.c.id] if key is None else [cast(both.c.key, key.type), both.c.id]
    if shape.order is Order.TITLE:
        order = [both.c.key.collate("pg_c_utf8"), both.c.id]
    ordering = [column.desc() if shape.descending else column.asc() for column in order]
    return Statement(select(both).order_by(*ordering).limit(bindparam("limit")))


def _select_page(shape: _QueryShape, *visibility: ColumnElement[bool]) -> Select[Any]:
    key = _SORT_KEYS.get(shape.order)
    key_text = null() if key is None else cast(key.expression, Text)
    query = select(*COLUMNS, cast(key_text, Text).label("key")).where(*visibility, *_conditions(shape))
    order = [tasks.c.id] if key is None else [key.expression, tasks.c.id]
    if shape.has_after:
        after_id: ColumnElement[Any] = bindparam("after_id", type_=Uuid())
        if key is None:
            query = query.where(tasks.c.id < after_id if shape.descending else tasks.c.id > after_id)
        else:
            row_key = tuple_(*order)
            last_key = tuple_(cast(bindparam("after_key", type_=Text()), key.type), after_id)
            query = query.where(row_key < last_key if shape.descending else row_key > last_key)
    ordering = [column.desc() if shape.descending else column.asc() for column in order]
    return query.order_by(*ordering).limit(bindparam("limit"))


@lru_cache(maxsize=1000)
def _compile_count(shape: _QueryShape) -> Statement:
    visibility = [VISIBLE] if shape.has_visible_to else []
    return Statement(select(func.count()).select_from(tasks).where(*visibility, *_conditions(shape)))
