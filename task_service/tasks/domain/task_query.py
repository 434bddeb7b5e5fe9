"""Query of a list of tasks: filters and order."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple, TypeVar
from unicodedata import normalize
from uuid import UUID

from chassis.kernel.errors import Invalid, collect_errors, raise_all
from chassis.kernel.identity import Caller
from chassis.kernel.ids import parse_id
from task_service.access import ALL_OWNERS, ME, owner_filter, resolve_me
from task_service.tasks.domain import values as rules
from task_service.tasks.domain.errors import (
    QueryTooLong,
    TooManyIds,
    TooManyWords,
    UnknownOrder,
    UnknownPriority,
    UnknownStatus,
)
from task_service.tasks.domain.values import Priority, Status

Member = TypeVar("Member", bound=StrEnum)

MAX_QUERY_CHARACTERS = 200
MAX_QUERY_WORDS = 8
MAX_IDS = 100

MAX_CLOCK_DIFFERENCE = timedelta(days=1)
"""Upper bound for the difference of two processes' clocks.

The ids of an import's tasks contain a time between the upload and the end of the import, by some process's clock.
"""


class Order(StrEnum):
    """Sort key of a list. Ties are broken by id, in the same direction."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    DUE_DATE = "due_date"
    """Tasks without a due date come last."""
    PRIORITY = "priority"
    TITLE = "title"
    """Case is ignored."""


class DeletedFilter(StrEnum):
    """Treatment of deleted tasks in a list."""

    EXCLUDE = "exclude"
    INCLUDE = "include"
    ONLY = "only"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Validated filters and order. None, False and empty values do not filter.

    Equal queries have equal text, because page tokens contain a fingerprint of that text.
    """

    visible_to: UUID | None = None
    """Only tasks that this user owns or is assigned to."""
    owner_id: UUID | None = None
    ids: tuple[UUID, ...] = ()
    external_id: str = ""
    statuses: tuple[Status, ...] = ()
    priorities: tuple[Priority, ...] = ()
    labels_any: tuple[str, ...] = ()
    labels_all: tuple[str, ...] = ()
    labels_none: tuple[str, ...] = ()
    assignee_id: UUID | None = None
    import_id: UUID | None = None
    due_before: date | None = None
    due_after: date | None = None
    no_due_date: bool = False
    created_before: datetime | None = None
    created_after: datetime | None = None
    updated_before: datetime | None = None
    updated_after: datetime | None = None
    completed_before: datetime | None = None
    completed_after: datetime | None = None
    overdue: bool = False
    words: tuple[str, ...] = ()
    """Words that must all occur in the title or the description. Case is ignored."""
    deleted: DeletedFilter = DeletedFilter.EXCLUDE
    order: Order = Order.CREATED_AT
    descending: bool = True

    @property
    def word_forms(self) -> tuple[tuple[str, ...], ...]:
        """The spellings of each word in titles and descriptions, which are stored as sent: NFC and NFD."""
        return tuple(tuple(dict.fromkeys((normalize("NFC", word), normalize("NFD", word)))) for word in self.words)

    @property
    def may_scan(self) -> bool:
        """Return whether a page may read many more rows than it returns, because no index serves the query."""
        if self.ids or (self.external_id and self.owner_id and self.deleted is DeletedFilter.EXCLUDE):
            return False
        return self.deleted is DeletedFilter.ONLY or _other_filters(self) != _NO_OTHER_FILTERS


_INDEXED = frozenset({"visible_to", "owner_id", "created_before", "created_after", "deleted", "descending"})
_other_filters = attrgetter(*(field.name for field in fields(TaskQuery) if field.name not in _INDEXED))
_NO_OTHER_FILTERS = _other_filters(TaskQuery())


class TimeFilters(NamedTuple):
    """Time filters of a query. None does not filter."""

    created_before: datetime | None = None
    created_after: datetime | None = None
    updated_before: datetime | None = None
    updated_after: datetime | None = None
    completed_before: datetime | None = None
    completed_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDraft:
    """Unvalidated query of a client. Empty means not set."""

    time_filters: TimeFilters
    owner_id: str = ""
    ids: Collection[str] = ()
    external_id: str = ""
    statuses: Iterable[str] = ()
    priorities: Iterable[str] = ()
    labels_any: Iterable[str] = ()
    labels_all: Iterable[str] = ()
    labels_none: Iterable[str] = ()
    assignee_id: str = ""
    import_id: str = ""
    due_before: str = ""
    due_after: str = ""
    no_due_date: bool = False
    overdue: bool = False
    q: str = ""
    deleted: DeletedFilter = DeletedFilter.EXCLUDE
    order_by: str = ""

    def validate(self, caller: Caller) -> TaskQuery:
        """Return the query, limited to what the caller may see. Raises all validation errors, or OwnerNotYours."""
        errors: list[Invalid] = []
        statuses = _parse_enum(self.statuses, Status, UnknownStatus, errors)
        priorities = _parse_enum(self.priorities, Priority, UnknownPriority, errors)
        labels_any = rules.validate_labels(self.labels_any, errors, field="labels_any")
        labels_all = rules.validate_labels(self.labels_all, errors, field="labels_all")
        labels_none = rules.validate_labels(self.labels_none, errors, field="labels_none")
        ids = _parse_ids(self.ids, errors)
        external_id = rules.validate_external_id(self.external_id, errors)
        assignee_id = _parse_assignee(self.assignee_id, caller, errors)
        import_id = rules.validate_id(self.import_id, "import_id", errors)
        due_before = rules.validate_date(self.due_before, "due_before", errors)
        due_after = rules.validate_date(self.due_after, "due_after", errors)
        words = _parse_words(self.q, errors)
        order, descending = _parse_order(self.order_by, errors)
        if self.owner_id not in {"", ALL_OWNERS, ME}:
            rules.validate_id(self.owner_id, "owner_id", errors)
        raise_all(errors)
        visible_to, owner_id = _visibility(caller, self.owner_id)
        return TaskQuery(
            visible_to=visible_to,
            owner_id=owner_id,
            ids=ids,
            external_id=external_id,
            statuses=statuses,
            priorities=priorities,
            labels_any=labels_any,
            labels_all=labels_all,
            labels_none=labels_none,
            assignee_id=assignee_id,
            import_id=import_id,
            due_before=due_before,
            due_after=due_after,
            no_due_date=self.no_due_date,
            **self.time_filters._asdict(),
            overdue=self.overdue,
            words=words,
            deleted=self.deleted,
            order=order,
            descending=descending,
        )


def _visibility(caller: Caller, owner_id: str) -> tuple[UUID | None, UUID | None]:
    """Return the filters `visible_to` and `owner_id`. A user without an owner filter gets owned and assigned tasks."""
    if not owner_id and not caller.is_service:
        return caller.id, None
    return None, owner_filter(caller, owner_id)


def _parse_enum(
    words: Iterable[str], kind: type[Member], unknown: type[Invalid], errors: list[Invalid]
) -> tuple[Member, ...]:
    """Return the named members of an enum, without duplicates and in its order."""
    chosen = set(words)
    if not chosen:
        return ()
    if chosen - set(kind):
        errors.append(unknown())
    return tuple(member for member in kind if member in chosen)


def _parse_ids(texts: Collection[str], errors: list[Invalid]) -> tuple[UUID, ...]:
    """Return the ids in order and without duplicates. Only the first invalid one is reported: ids are one field."""
    if len(texts) > MAX_IDS:
        errors.append(TooManyIds(limit=MAX_IDS, count=len(texts)))
        return ()
    with collect_errors(errors):
        return tuple(sorted({parse_id(text, field="ids") for text in texts}))
    return ()


def _parse_assignee(text: str, caller: Caller, errors: list[Invalid]) -> UUID | None:
    if text != ME:
        return rules.validate_id(text, "assignee_id", errors)
    with collect_errors(errors):
        return resolve_me(caller, field="assignee_id")
    return None


def _parse_words(text: str, errors: list[Invalid]) -> tuple[str, ...]:
    if len(text) > MAX_QUERY_CHARACTERS:
        errors.append(QueryTooLong(limit=MAX_QUERY_CHARACTERS, length=len(text)))
        return ()
    # The search ignores case, so words that differ only in case are the same word.
    words = tuple({word.lower(): word for word in rules.to_nfc(text).split()}.values())
    if len(words) > MAX_QUERY_WORDS:
        errors.append(TooManyWords(limit=MAX_QUERY_WORDS, count=len(words)))
    rules.validate_characters("".join(words), "q", "", errors)
    return words


def _parse_order(text: str, errors: list[Invalid]) -> tuple[Order, bool]:
    """Return the sort key, and True for descending order. Default: newest first."""
    if not text.strip():
        return Order.CREATED_AT, True
    field, _, direction = text.strip().partition(" ")
    direction = direction.strip().lower()
    if field not in set(Order) or direction not in {"", "asc", "desc"}:
        errors.append(UnknownOrder())
        return Order.CREATED_AT, True
    return Order(field), direction == "desc"
