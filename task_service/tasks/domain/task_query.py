"""Which tasks a list shows, and in which order."""

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
    """What a list can be in the order of. Ties are resolution by id, in the same direction."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    DUE_DATE = "due_date"
    """No due date comes after every date."""
    PRIORITY = "priority"
    TITLE = "title"
    """Regardless of case."""


class Deleted(StrEnum):
    """Which side of the trash a list shows."""

    HIDDEN = "hidden"
    SHOWN = "shown"
    ALONE = "alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Which tasks. None, False and empty are no restriction. Equal queries have the same text: page tokens need it."""

    seen_by: UUID | None = None
    """Tasks that this user owns or is assigned."""
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
    """Each occurs in the title or the description, regardless of case."""
    deleted: Deleted = Deleted.HIDDEN
    order: Order = Order.CREATED_AT
    descending: bool = True


class Moments(NamedTuple):
    """Times that a query names; None for those that it does not."""

    created_before: datetime | None = None
    created_after: datetime | None = None
    updated_before: datetime | None = None
    updated_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDraft:
    """A query as a client puts it, unchecked. Empty is not said."""

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
        """The query within the caller's sight, or all that is wrong with it; OwnerNotYours for more than that."""
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
    """Whose tasks: seen by whom, or owned by whom. A person who names nobody sees what they own or are assigned."""
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
    """The field and whether it descends; newest first where nothing is said."""
    if not text.strip():
        return Order.CREATED_AT, True
    field, _, direction = text.strip().partition(" ")
    direction = direction.strip().lower()
    if field not in set(Order) or direction not in {"", "asc", "desc"}:
        wrong.append(UnknownOrder())
        return Order.CREATED_AT, True
    return Order(field), direction == "desc"
