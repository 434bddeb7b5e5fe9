"""Query of a list of tasks: filters and order."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.errors import Invalid, raise_all
from chassis.kernel.identity import Caller
from task_service.access import EVERYBODY, owner_filter
from task_service.tasks.domain import values as rules
from task_service.tasks.domain.errors import QueryTooLong, UnknownOrder, UnknownPriority, UnknownStatus
from task_service.tasks.domain.values import Priority, Status

MAX_QUERY_CHARACTERS = 200


class Order(StrEnum):
    """Sort key of a list. Ties are broken by id, in the same direction."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    DUE_DATE = "due_date"
    """Tasks without a due date come last."""
    PRIORITY = "priority"
    TITLE = "title"
    """Case is ignored."""


class Deleted(StrEnum):
    """Treatment of deleted tasks."""

    HIDDEN = "hidden"
    SHOWN = "shown"
    ALONE = "alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Validated filters; None, False and empty values do not filter. Equal queries have equal text, for page tokens."""

    seen_by: UUID | None = None
    """Tasks that this user owns or is assigned to."""
    owner_id: UUID | None = None
    statuses: tuple[Status, ...] = ()
    priorities: tuple[Priority, ...] = ()
    labels_any: tuple[str, ...] = ()
    labels_all: tuple[str, ...] = ()
    assignee_id: UUID | None = None
    import_id: UUID | None = None
    due_before: date | None = None
    due_after: date | None = None
    created_before: datetime | None = None
    created_after: datetime | None = None
    updated_before: datetime | None = None
    updated_after: datetime | None = None
    overdue: bool = False
    words: tuple[str, ...] = ()
    """Words that must all occur in the title or the description. Case is ignored."""
    deleted: Deleted = Deleted.HIDDEN
    order: Order = Order.CREATED_AT
    descending: bool = True


class Moments(NamedTuple):
    """Time filters of a query; None for those that are not set."""

    created_before: datetime | None = None
    created_after: datetime | None = None
    updated_before: datetime | None = None
    updated_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDraft:
    """Unvalidated query of a client. Empty means not set."""

    moments: Moments
    owner_id: str = ""
    statuses: Iterable[str] = ()
    priorities: Iterable[str] = ()
    labels_any: Iterable[str] = ()
    labels_all: Iterable[str] = ()
    assignee_id: str = ""
    import_id: str = ""
    due_before: str = ""
    due_after: str = ""
    overdue: bool = False
    q: str = ""
    deleted: Deleted = Deleted.HIDDEN
    order_by: str = ""

    def validate(self, caller: Caller) -> TaskQuery:
        """Return the query, limited to what the caller may see. Raises all validation errors, or OwnerNotYours."""
        wrong: list[Invalid] = []
        statuses = {Status(word) if word in set(Status) else None for word in self.statuses}
        if None in statuses:
            wrong.append(UnknownStatus())
        priorities = {Priority(word) if word in set(Priority) else None for word in self.priorities}
        if None in priorities:
            wrong.append(UnknownPriority())
        labels_any = rules.validate_labels(self.labels_any, wrong, field="labels_any")
        labels_all = rules.validate_labels(self.labels_all, wrong, field="labels_all")
        assignee_id = rules.validate_user_id(self.assignee_id, "assignee_id", wrong)
        import_id = rules.validate_user_id(self.import_id, "import_id", wrong)
        due_before = rules.validate_date(self.due_before, "due_before", wrong)
        due_after = rules.validate_date(self.due_after, "due_after", wrong)
        words = _words(self.q, wrong)
        order, descending = _order(self.order_by, wrong)
        if self.owner_id not in {"", EVERYBODY}:
            rules.validate_user_id(self.owner_id, "owner_id", wrong)
        raise_all(wrong)
        seen_by, owner_id = _sight(caller, self.owner_id)
        return TaskQuery(
            seen_by=seen_by,
            owner_id=owner_id,
            statuses=tuple(status for status in Status if status in statuses),
            priorities=tuple(priority for priority in Priority if priority in priorities),
            labels_any=labels_any,
            labels_all=labels_all,
            assignee_id=assignee_id,
            import_id=import_id,
            due_before=due_before,
            due_after=due_after,
            **self.moments._asdict(),
            overdue=self.overdue,
            words=words,
            deleted=self.deleted,
            order=order,
            descending=descending,
        )


def _sight(caller: Caller, owner_id: str) -> tuple[UUID | None, UUID | None]:
    """Return the filters `seen_by` and `owner_id`. A user without an owner filter gets owned and assigned tasks."""
    if not owner_id and not caller.is_service:
        return caller.id, None
    return None, owner_filter(caller, owner_id)


def _words(text: str, wrong: list[Invalid]) -> tuple[str, ...]:
    if len(text) > MAX_QUERY_CHARACTERS:
        wrong.append(QueryTooLong(limit=MAX_QUERY_CHARACTERS, length=len(text)))
        return ()
    words = tuple(text.split())
    rules.validate_characters("".join(words), "q", "", wrong)
    return words


def _order(text: str, wrong: list[Invalid]) -> tuple[Order, bool]:
    """Return the sort key and whether it descends. Default: newest first."""
    if not text.strip():
        return Order.CREATED_AT, True
    field, _, direction = text.strip().partition(" ")
    direction = direction.strip().lower()
    if field not in set(Order) or direction not in {"", "asc", "desc"}:
        wrong.append(UnknownOrder())
        return Order.CREATED_AT, True
    return Order(field), direction == "desc"
