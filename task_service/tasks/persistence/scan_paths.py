"""Index that a query of tasks reads, and the range in it.

The filters decide which tasks match, the path decides which rows are read. A path reads one index from one key to
another, so its cost does not depend on the planner's statistics.
"""

from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from chassis.kernel.ids import FIRST_ID, LAST_ID, first_id_at, last_id_at
from task_service.tasks.domain.task_query import MAX_CLOCK_DIFFERENCE, DeletedFilter, Order, TaskQuery
from task_service.tasks.persistence.page_keys import NO_DUE_DATE, SORT_KEYS, CountOrder, IndexKey, PathOrder


class ImportScope(NamedTuple):
    """The tasks of an import belong to its owner, and were created between its upload and its end."""

    owner_id: UUID
    created_at: datetime
    finished_at: datetime | None


class Part(NamedTuple):
    """Rows with one value of the first column of the indexes that a path can read."""

    column: str = ""
    """Empty: the primary key, which has all rows."""
    parameter: str = ""
    """Name of the parameter with the value. All rows of the part match the filter of this name, if there is one."""
    condition: str = ""
    """Condition that the index serves too, or that leaves only few rows."""
    has_few_rows: bool = False

    @property
    def value(self) -> str:
        """The value as SQL.

        A value in a subselect is unknown to the planner, so it chooses the same plan for all owners. With statistics
        that are too old it would expect few tasks of a large owner, then read and sort all of them.
        """
        return f"(SELECT CAST(:{self.parameter} AS uuid))"


_NO_DUPLICATE = """id = (
    SELECT existing.id FROM tasks AS existing
    WHERE existing.owner_id >= :{owner} AND existing.owner_id <= :{owner}
        AND existing.external_id >= :external_id AND existing.external_id <= :external_id
        AND existing.deleted_at IS NULL AND existing.external_id <> ''
    ORDER BY existing.owner_id, existing.external_id LIMIT 1
)"""

ALL = Part()
BY_ID = Part(condition="id = ANY (CAST(:ids AS uuid[]))", has_few_rows=True)
# The condition finds one task by the unique index, and only that index gives the order of its ranges.
OWNER_BY_EXTERNAL_ID = Part(condition=_NO_DUPLICATE.format(owner="owner_id"), has_few_rows=True)
VISIBLE_OWNER_BY_EXTERNAL_ID = Part(
    "owner_id", "visible_to", _NO_DUPLICATE.format(owner="visible_to"), has_few_rows=True
)
OWNER = Part("owner_id", "owner_id")
VISIBLE_OWNER = Part("owner_id", "visible_to")
IMPORT_OWNER = Part("owner_id", "import_owner")
ASSIGNEE = Part("assignee_id", "assignee_id", "assignee_id IS NOT NULL")
VISIBLE_ASSIGNEE = Part("assignee_id", "visible_to", "assignee_id IS NOT NULL")


class ScanPath(NamedTuple):
    """Path that a query takes to its rows. Queries with equal paths have the same SQL text."""

    parts: tuple[Part, ...]
    """One part, or two that are merged; a row in both counts once."""
    order: PathOrder
    """Order of the index."""
    descending: bool
    in_trash: bool
    """The index of deleted tasks is read."""

    @property
    def has_few_rows(self) -> bool:
        return all(part.has_few_rows for part in self.parts)

    @property
    def matched_filters(self) -> set[str]:
        """Names of the filters that all rows of the path match."""
        return set.intersection(*({part.parameter} for part in self.parts))


def choose_path(query: TaskQuery, scope: ImportScope | None) -> ScanPath:
    """Return the path that gives the query's order. If none does: the one in which the filters have a range."""
    parts = _choose_parts(query, scope)
    indexed = _indexed_orders(query, parts)
    order = query.order if query.order in indexed else _narrowest_order(query, indexed)
    in_trash = query.deleted is DeletedFilter.ONLY and order is Order.CREATED_AT
    return ScanPath(parts, order, query.descending, in_trash)


def choose_count_path(query: TaskQuery) -> ScanPath:
    """Return the path of counts by status. An index has all that they need, but none has it in the order of the ids."""
    path = choose_path(query, None)
    return path._replace(order=CountOrder.OWNER) if path.parts == (ALL,) else path


def _choose_parts(query: TaskQuery, scope: ImportScope | None) -> tuple[Part, ...]:
    if query.ids:
        return (BY_ID,)
    if query.assignee_id:
        return (ASSIGNEE,)
    has_unique_key = bool(query.external_id) and query.deleted is DeletedFilter.EXCLUDE
    if query.owner_id:
        return (OWNER_BY_EXTERNAL_ID if has_unique_key else OWNER,)
    if query.visible_to is None:
        return (IMPORT_OWNER if scope else ALL,)
    owned = VISIBLE_OWNER_BY_EXTERNAL_ID if has_unique_key else VISIBLE_OWNER
    if scope is None:
        return (owned, VISIBLE_ASSIGNEE)
    return (owned if scope.owner_id == query.visible_to else VISIBLE_ASSIGNEE,)


def _indexed_orders(query: TaskQuery, parts: tuple[Part, ...]) -> set[Order]:
    if not all(part.column for part in parts):
        return {Order.CREATED_AT}
    if query.deleted is DeletedFilter.EXCLUDE:
        return {Order.CREATED_AT, Order.UPDATED_AT, Order.DUE_DATE}
    return {Order.CREATED_AT, Order.UPDATED_AT}


def _narrowest_order(query: TaskQuery, indexed: set[Order]) -> Order:
    if Order.UPDATED_AT in indexed and (query.updated_after or query.updated_before):
        return Order.UPDATED_AT
    if Order.DUE_DATE in indexed and (query.due_after or query.due_before or query.no_due_date or query.overdue):
        return Order.DUE_DATE
    return Order.CREATED_AT


def range_values(
    query: TaskQuery, path: ScanPath, scope: ImportScope | None, after: IndexKey | None, today: date
) -> dict[str, Any]:
    """Return the parameters of the range that the path reads. Both ends are exclusive."""
    first_id, last_id = _id_range(query, scope)
    if path.order is Order.CREATED_AT:
        low, high = IndexKey("", first_id), IndexKey("", last_id)
    elif path.order is CountOrder.OWNER:
        low, high = IndexKey(str(FIRST_ID), FIRST_ID), IndexKey(str(LAST_ID), LAST_ID)
    elif path.order is Order.UPDATED_AT:
        low, high = _updated_range(query)
    else:
        low, high = _due_range(query, today)
    if after and path.descending:
        high = min(high, after)
    elif after:
        low = max(low, after)
    return {
        "low_key": low.text,
        "low_id": low.task_id,
        "high_key": high.text,
        "high_id": high.task_id,
        "first_id": first_id,
        "last_id": last_id,
        "import_owner": scope.owner_id if scope else None,
    }


def _id_range(query: TaskQuery, scope: ImportScope | None) -> tuple[UUID, UUID]:
    """Return the ids around the tasks that were created in the times of the query: an id contains that time."""
    low, high = [FIRST_ID], [LAST_ID]
    if query.created_after:
        low.append(last_id_at(query.created_after))
    if query.created_before:
        high.append(first_id_at(query.created_before))
    if scope:
        low.append(first_id_at(scope.created_at - MAX_CLOCK_DIFFERENCE))
    if scope and scope.finished_at:
        high.append(first_id_at(scope.finished_at + MAX_CLOCK_DIFFERENCE))
    return max(low), min(high)


# Texts of dates and times in ISO 8601 sort as the dates and times do, between "-infinity" and "infinity".
_LOWEST, _HIGHEST = IndexKey("-infinity", FIRST_ID), IndexKey("infinity", LAST_ID)


def _updated_range(query: TaskQuery) -> tuple[IndexKey, IndexKey]:
    low, high = _LOWEST, _HIGHEST
    normalize = SORT_KEYS[Order.UPDATED_AT].normalize
    if query.updated_after:
        low = IndexKey(normalize(query.updated_after.isoformat()), LAST_ID)
    if query.updated_before:
        high = IndexKey(normalize(query.updated_before.isoformat()), FIRST_ID)
    return low, high


def _due_range(query: TaskQuery, today: date) -> tuple[IndexKey, IndexKey]:
    low, high = [_LOWEST], [_HIGHEST]
    if query.due_after:
        low.append(IndexKey(query.due_after.isoformat(), LAST_ID))
    if query.no_due_date:
        low.append(IndexKey(NO_DUE_DATE, FIRST_ID))
    high.extend(
        IndexKey(day.isoformat(), FIRST_ID) for day in (query.due_before, today if query.overdue else None) if day
    )
    if query.due_after:
        high.append(IndexKey(NO_DUE_DATE, FIRST_ID))
    return max(low), min(high)
