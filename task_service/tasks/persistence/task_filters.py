"""Conditions of task lists as SQL text.

The text of a query is joined from these parts. There are millions of combinations of filters: SQLAlchemy needs 5 ms of
CPU to compile one, a join needs 0.1 ms.
"""

from datetime import date
from typing import Any, NamedTuple

from task_service.tasks.domain.task_query import DeletedFilter, TaskQuery
from task_service.tasks.domain.values import OPEN_STATUSES

_OPEN = ", ".join(f"'{status.value}'" for status in OPEN_STATUSES)
IS_OVERDUE = f"(due_date < :today AND status IN ({_OPEN}))"

_SEARCHED_TEXT = '(title || chr(10) || description) COLLATE "pg_c_utf8"'

# By field of TaskQuery, whose name is also that of the parameter. The ranges of created_after and created_before are
# ranges of ids.
_FIELD_FILTERS = {
    "visible_to": "(owner_id = :visible_to OR assignee_id = :visible_to)",
    "owner_id": "owner_id = :owner_id",
    "external_id": "external_id = :external_id",
    "statuses": "status = ANY (CAST(:statuses AS text[]))",
    "priorities": "priority = ANY (CAST(:priorities AS text[]))",
    "labels_any": "labels && CAST(:labels_any AS text[])",
    "labels_all": "labels @> CAST(:labels_all AS text[])",
    "labels_none": "NOT labels && CAST(:labels_none AS text[])",
    "assignee_id": "assignee_id = :assignee_id",
    "import_id": "import_id = :import_id",
    "due_before": "due_date < :due_before",
    "due_after": "due_date > :due_after",
    "no_due_date": "due_date IS NULL",
    "updated_before": "updated_at < :updated_before",
    "updated_after": "updated_at > :updated_after",
    "completed_before": "completed_at < :completed_before",
    "completed_after": "completed_at > :completed_after",
    "overdue": IS_OVERDUE,
}
_FILTERS = {**_FIELD_FILTERS, "patterns": f"{_SEARCHED_TEXT} ILIKE ALL (CAST(:patterns AS text[]))"}
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
    deleted: DeletedFilter


def analyze(query: TaskQuery, today: date) -> tuple[FilterShape, dict[str, Any]]:
    """Return the shape of the query's filters, and the values of their parameters."""
    single = [forms[0] for forms in query.word_forms if len(forms) == 1]
    several = [forms for forms in query.word_forms if len(forms) > 1]
    values = {name: _parameter(getattr(query, name)) for name in _FIELD_FILTERS}
    values["patterns"] = [_pattern(word) for word in single]
    shape = FilterShape(frozenset(name for name, value in values.items() if value), len(several), query.deleted)
    values |= {f"forms_{index}": [_pattern(word) for word in forms] for index, forms in enumerate(several)}
    values |= {"ids": list(query.ids), "today": today}
    return shape, values


def conditions(shape: FilterShape, *more: str) -> str:
    """Return the condition of all filters."""
    forms = [f"{_SEARCHED_TEXT} ILIKE ANY (CAST(:forms_{i} AS text[]))" for i in range(shape.words_with_forms)]
    filters = [_FILTERS[name] for name in sorted(shape.filters)]
    return " AND ".join([*more, *filters, *forms, *_DELETED_FILTERS[shape.deleted]]) or "true"


def _parameter(value: Any) -> Any:
    """Return the value as psycopg encodes it: a list is an array, a tuple is not."""
    return list(value) if isinstance(value, tuple) else value


def _pattern(word: str) -> str:
    """Return the pattern that finds the word anywhere, with ILIKE's special characters escaped."""
    escaped = word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
