"""Conditions of task lists as SQL text.

The text of a query is joined from these parts. There are millions of combinations of filters: SQLAlchemy needs 5 ms of
CPU to compile one, a join needs 0.1 ms.
"""

from datetime import date
from typing import Any, NamedTuple

from task_service.tasks.domain.task_query import DeletedFilter, IdRange, TaskQuery
from task_service.tasks.domain.values import OPEN_STATUSES

OWNED = "owner_id = :visible_to"
ASSIGNED = "assignee_id = :visible_to AND owner_id <> :visible_to"
VISIBLE = "(owner_id = :visible_to OR assignee_id = :visible_to)"

_OPEN = ", ".join(f"'{status.value}'" for status in OPEN_STATUSES)
IS_OVERDUE = f"(due_date < :today AND status IN ({_OPEN}))"

_SEARCHED_TEXT = '(title || chr(10) || description) COLLATE "pg_c_utf8"'

# The tasks of an import belong to its owner, so the index by owner serves this list too.
_OWNER_OF_IMPORT = "owner_id = (SELECT imports.owner_id FROM imports WHERE imports.id = :import_id)"

# Keys are the names of the filters' parameters.
_FILTERS = {
    "owner_id": "owner_id = :owner_id",
    "ids": "id = ANY (CAST(:ids AS uuid[]))",
    "external_id": "external_id = :external_id",
    "statuses": "status = ANY (CAST(:statuses AS text[]))",
    "priorities": "priority = ANY (CAST(:priorities AS text[]))",
    "labels_any": "labels && CAST(:labels_any AS text[])",
    "labels_all": "labels @> CAST(:labels_all AS text[])",
    "labels_none": "NOT labels && CAST(:labels_none AS text[])",
    "assignee_id": "assignee_id = :assignee_id",
    "import_id": f"import_id = :import_id AND {_OWNER_OF_IMPORT}",
    "due_before": "due_date < :due_before",
    "due_after": "due_date > :due_after",
    "no_due_date": "due_date IS NULL",
    "created_before": "created_at < :created_before",
    "created_after": "created_at > :created_after",
    "updated_before": "updated_at < :updated_before",
    "updated_after": "updated_at > :updated_after",
    "completed_before": "completed_at < :completed_before",
    "completed_after": "completed_at > :completed_after",
    "today": IS_OVERDUE,
    "patterns": f"{_SEARCHED_TEXT} ILIKE ALL (CAST(:patterns AS text[]))",
}
_INDEXED_FILTERS = {
    "owner_id": _FILTERS["owner_id"],
    "assignee_id": _FILTERS["assignee_id"],
    "import_id": _OWNER_OF_IMPORT,
}
_DELETED_FILTERS = {
    DeletedFilter.EXCLUDE: ["deleted_at IS NULL"],
    DeletedFilter.INCLUDE: [],
    DeletedFilter.ONLY: ["deleted_at IS NOT NULL"],
}


class FilterShape(NamedTuple):
    """Shape of a query's filters. Queries with equal shapes have the same SQL text."""

    filters: frozenset[str]
    words_with_forms: int
    """Number of words that are spelled differently in NFC and NFD."""
    has_visible_to: bool
    deleted: DeletedFilter
    descending: bool
    has_after: bool = False
    has_until: bool = False


def analyze(query: TaskQuery, today: date, id_range: IdRange) -> tuple[FilterShape, dict[str, Any]]:
    """Return the shape of the query's filters, and the values of their parameters."""
    single = [forms[0] for forms in query.word_forms if len(forms) == 1]
    several = [forms for forms in query.word_forms if len(forms) > 1]
    values: dict[str, Any] = {
        "owner_id": query.owner_id,
        "ids": list(query.ids),
        "external_id": query.external_id,
        "statuses": list(query.statuses),
        "priorities": list(query.priorities),
        "labels_any": list(query.labels_any),
        "labels_all": list(query.labels_all),
        "labels_none": list(query.labels_none),
        "assignee_id": query.assignee_id,
        "import_id": query.import_id,
        "due_before": query.due_before,
        "due_after": query.due_after,
        "no_due_date": query.no_due_date,
        "created_before": query.created_before,
        "created_after": query.created_after,
        "updated_before": query.updated_before,
        "updated_after": query.updated_after,
        "completed_before": query.completed_before,
        "completed_after": query.completed_after,
        "today": today if query.overdue else None,
        "patterns": [_pattern(word) for word in single],
    }
    shape = FilterShape(
        filters=frozenset(name for name, value in values.items() if value),
        words_with_forms=len(several),
        has_visible_to=query.visible_to is not None,
        deleted=query.deleted,
        descending=query.descending,
        has_after=id_range.after is not None,
        has_until=id_range.until is not None,
    )
    values |= {f"forms_{index}": [_pattern(word) for word in forms] for index, forms in enumerate(several)}
    values |= {"visible_to": query.visible_to, "range_after": id_range.after, "range_until": id_range.until}
    return shape, values


def source(shape: FilterShape) -> str:
    """Return the rows to which the conditions apply: all tasks, or those of the ids.

    After fast growth the planner has no statistics, and an index by owner seems as good as the primary key. OFFSET
    keeps the conditions out of the subquery, so that it reads at most the tasks of the ids.
    """
    if "ids" not in shape.filters:
        return "tasks"
    return f"(SELECT * FROM tasks WHERE {_FILTERS['ids']} OFFSET 0)"  # noqa: S608 - constants


def conditions(shape: FilterShape, *more: str) -> str:
    """Return the condition of all filters and of the range of ids. Visibility is left to the caller."""
    forms = [f"{_SEARCHED_TEXT} ILIKE ANY (CAST(:forms_{i} AS text[]))" for i in range(shape.words_with_forms)]
    filters = [_FILTERS[name] for name in sorted(shape.filters)]
    return _all(*more, *filters, *forms, *_DELETED_FILTERS[shape.deleted], *_range(shape))


def lookup_by_external_id(shape: FilterShape, owner: str) -> tuple[FilterShape, list[str]]:
    """Return the condition that reads only the owner's live task with the external_id, and the other filters.

    `owner` is the parameter of the owner. The condition replaces the comparison of the owner too: after fast growth the
    planner has no statistics, and any index by owner seems as good as the unique one. Inside the condition, only the
    unique index gives the order of the ranges.
    """
    if "external_id" not in shape.filters or shape.deleted is not DeletedFilter.EXCLUDE:
        return shape, []
    condition = f"""id = (
        SELECT existing.id FROM tasks AS existing
        WHERE existing.owner_id >= {owner} AND existing.owner_id <= {owner}
            AND existing.external_id >= :external_id AND existing.external_id <= :external_id
            AND existing.deleted_at IS NULL AND existing.external_id <> ''
        ORDER BY existing.owner_id, existing.external_id LIMIT 1
    )"""  # noqa: S608 - constants
    return shape._replace(filters=shape.filters - {"external_id", owner.removeprefix(":")}), [condition]


def indexed_conditions(shape: FilterShape, *more: str) -> str:
    """Return the condition of those filters that choose the index, and of the range of ids."""
    filters = [condition for name, condition in _INDEXED_FILTERS.items() if name in shape.filters]
    return _all(*more, *filters, *_range(shape))


def _range(shape: FilterShape) -> list[str]:
    after, until = ("<", ">=") if shape.descending else (">", "<=")
    return [f"id {after} :range_after"] * shape.has_after + [f"id {until} :range_until"] * shape.has_until


def _all(*parts: str) -> str:
    return " AND ".join(parts) or "true"


def _pattern(word: str) -> str:
    """Return the pattern that finds the word anywhere, with ILIKE's special characters escaped."""
    escaped = word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
