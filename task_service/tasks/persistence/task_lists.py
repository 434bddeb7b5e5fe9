"""The statements of task lists. Each combination of restrictions and order is one of them, compiled when first asked.

A page goes on behind a key, never by an offset: whatever comes and goes before it, no task that stays is shown twice
or left out.
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
from task_service.tasks.domain.task_query import Deleted, Order, TaskQuery
from task_service.tasks.domain.values import UNFINISHED, Priority

COLUMNS = [tasks.c[name] for name in Task._fields]

_LEAST_FIRST = ", ".join(f"'{priority}'" for priority in Priority)

_TEXTS = ARRAY(Text)


class _Key(NamedTuple):
    """Sort key of a list before the id. Expressions are written as in the index that serves them."""

    expression: ColumnElement[Any]
    type: TypeEngine[Any]


_KEYS = {
    Order.UPDATED_AT: _Key(tasks.c.updated_at, DateTime(timezone=True)),
    Order.DUE_DATE: _Key(literal_column("coalesce(tasks.tasks.due_date, 'infinity'::date)"), Date()),
    Order.PRIORITY: _Key(
        literal_column(f"array_position(ARRAY[{_LEAST_FIRST}], tasks.tasks.priority)"),
        Integer(),
    ),
    # This collation folds case and sorts alike on every server, whatever the locale of the database.
    Order.TITLE: _Key(literal_column('lower(tasks.tasks.title COLLATE "pg_c_utf8")'), Text()),
}

_OWNED = tasks.c.owner_id == bindparam("seen_by")
_ASSIGNED = tasks.c.assignee_id == bindparam("seen_by")
_NOT_OWNED = tasks.c.owner_id != bindparam("seen_by")
SEEN = or_(_OWNED, _ASSIGNED)

OVERDUE = and_(tasks.c.due_date < bindparam("today"), or_(*(tasks.c.status == status.value for status in UNFINISHED)))

# The tasks of an import belong to its owner, so the index by owner serves this list too.
_OF_IMPORT = and_(
    tasks.c.import_id == bindparam("import_id"),
    tasks.c.owner_id == select(imports.c.owner_id).where(imports.c.id == bindparam("import_id")).scalar_subquery(),
)

# By the name of the filter's parameter.
_RESTRICTIONS: dict[str, ColumnElement[bool]] = {
    "owner_id": tasks.c.owner_id == bindparam("owner_id"),
    "statuses": tasks.c.status == any_(bindparam("statuses", type_=_TEXTS)),
    "priorities": tasks.c.priority == any_(bindparam("priorities", type_=_TEXTS)),
    "labels_any": tasks.c.labels.op("&&")(bindparam("labels_any", type_=_TEXTS)),
    "labels_all": tasks.c.labels.op("@>")(bindparam("labels_all", type_=_TEXTS)),
    "assignee_id": tasks.c.assignee_id == bindparam("assignee_id"),
    "import_id": _OF_IMPORT,
    "due_before": tasks.c.due_date < bindparam("due_before"),
    "due_after": tasks.c.due_date > bindparam("due_after"),
    "created_before": tasks.c.created_at < bindparam("created_before"),
    "created_after": tasks.c.created_at > bindparam("created_after"),
    "updated_before": tasks.c.updated_at < bindparam("updated_before"),
    "updated_after": tasks.c.updated_at > bindparam("updated_after"),
    "today": OVERDUE,
    "patterns": text(  # type: ignore[dict-item]
        '(tasks.tasks.title || chr(10) || tasks.tasks.description) COLLATE "pg_c_utf8" ILIKE ALL (:patterns)'
    ),
}
_DELETED = {
    Deleted.HIDDEN: tasks.c.deleted_at.is_(None),
    Deleted.SHOWN: None,
    Deleted.ALONE: tasks.c.deleted_at.is_not(None),
}


class _Shape(NamedTuple):
    """Shape of a list: lists with equal shapes use the same statement."""

    restrictions: frozenset[str]
    seen_by: bool
    deleted: Deleted
    order: Order
    descending: bool
    after: bool


def page_of(query: TaskQuery, request: PageRequest, today: date) -> tuple[Statement, dict[str, Any]]:
    """Return the statement of a page and its parameters. A row is a task's columns and the text of its key."""
    shape, values = _shape(query, today, after=bool(request.after))
    values["most"] = request.size + 1
    if request.after:
        try:
            values["after_id"] = UUID(bytes=request.after[:16])
            values["after_key"] = request.after[16:].decode()
        except ValueError:  # UnicodeDecodeError is a ValueError
            raise InvalidPageToken from None
    return _page(shape), values


def key_of(row: tuple[Any, ...]) -> bytes:
    """Return the key after which the next page continues."""
    task_id: UUID = row[0]
    return task_id.bytes + str(row[-1] or "").encode()


def count_of(query: TaskQuery, today: date) -> tuple[Statement, dict[str, Any]]:
    """Return the statement that counts a list, and its parameters."""
    shape, values = _shape(query, today, after=False)
    return _count(shape._replace(order=Order.CREATED_AT, descending=True)), values


def _shape(query: TaskQuery, today: date, *, after: bool) -> tuple[_Shape, dict[str, Any]]:
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
        "patterns": [f"%{_escaped(word)}%" for word in query.words],
    }
    used = frozenset(name for name, value in values.items() if value)
    shape = _Shape(used, query.seen_by is not None, query.deleted, query.order, query.descending, after)
    return shape, {**values, "seen_by": query.seen_by}


def _escaped(word: str) -> str:
    """Return the word with ILIKE's special characters escaped."""
    return word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


def _restrictions(shape: _Shape) -> list[ColumnElement[bool]]:
    found = [_RESTRICTIONS[name] for name in sorted(shape.restrictions)]
    deleted = _DELETED[shape.deleted]
    return found if deleted is None else [*found, deleted]


@lru_cache(maxsize=1000)
def _page(shape: _Shape) -> Statement:
    if not shape.seen_by:
        return Statement(_ordered(shape))
    # Two index scans, both already sorted, are merged. The alternative would sort all tasks that the user may see.
    owned, assigned = _ordered(shape, _OWNED).subquery(), _ordered(shape, _ASSIGNED, _NOT_OWNED).subquery()
    both = union_all(select(owned), select(assigned)).subquery()
    key = _KEYS.get(shape.order)
    order = [both.c.id] if key is None else [cast(both.c.key, key.type), both.c.id]
    if shape.order is Order.TITLE:
        order = [both.c.key.collate("pg_c_utf8"), both.c.id]
    directed = [column.desc() if shape.descending else column.asc() for column in order]
    return Statement(select(both).order_by(*directed).limit(bindparam("most")))


def _ordered(shape: _Shape, *sight: ColumnElement[bool]) -> Select[Any]:
    key = _KEYS.get(shape.order)
    shown = null() if key is None else cast(key.expression, Text)
    query = select(*COLUMNS, cast(shown, Text).label("key")).where(*sight, *_restrictions(shape))
    order = [tasks.c.id] if key is None else [key.expression, tasks.c.id]
    if shape.after:
        after_id: ColumnElement[Any] = bindparam("after_id", type_=Uuid())
        if key is None:
            query = query.where(tasks.c.id < after_id if shape.descending else tasks.c.id > after_id)
        else:
            here = tuple_(*order)
            there = tuple_(cast(bindparam("after_key", type_=Text()), key.type), after_id)
            query = query.where(here < there if shape.descending else here > there)
    directed = [column.desc() if shape.descending else column.asc() for column in order]
    return query.order_by(*directed).limit(bindparam("most"))


@lru_cache(maxsize=1000)
def _count(shape: _Shape) -> Statement:
    sight = [SEEN] if shape.seen_by else []
    return Statement(select(func.count()).select_from(tasks).where(*sight, *_restrictions(shape)))
