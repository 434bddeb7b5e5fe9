"""Sort keys of task lists, and their values in page tokens.

A page token is not signed. Its key is checked here, because Postgres would log the text of an invalid one as an error.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.pagination import UUID_BYTES, InvalidPageToken
from task_service.tasks.domain.task_query import Order
from task_service.tasks.domain.values import MAX_TITLE_CHARACTERS, Priority, parse_date

_PRIORITIES_ASCENDING = ", ".join(f"'{priority}'" for priority in Priority)
_PRIORITY_KEYS = frozenset(str(number) for number in range(1, len(Priority) + 1))
NO_DUE_DATE = "infinity"
"""Key of a task without a due date."""
# The lower case of a character can have two characters.
_MAX_TITLE_KEY_CHARACTERS = 2 * MAX_TITLE_CHARACTERS


class CountOrder(Enum):
    """Order in which counts are read, and no list."""

    OWNER = "owner"


PathOrder = Order | CountOrder
"""Order of the rows of a path."""


class SortKey(NamedTuple):
    """Sort key of a list before the id. The expression is written as in the index that serves it."""

    expression: str
    type: str
    normalize: Callable[[str], str]
    """Return the text of a key as Postgres reads it. Raises ValueError or OverflowError for any other text."""


def _normalize_time(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    # With microseconds, the order of texts is the order of times.
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _normalize_date(text: str) -> str:
    if text == NO_DUE_DATE:
        return text
    found = parse_date(text)
    if found is None:
        raise ValueError(text)
    return found.isoformat()


def _normalize_priority(text: str) -> str:
    if text not in _PRIORITY_KEYS:
        raise ValueError(text)
    return text


def _normalize_title(text: str) -> str:
    if "\0" in text or len(text) > _MAX_TITLE_KEY_CHARACTERS:
        raise ValueError(text)
    return text


SORT_KEYS: Mapping[PathOrder, SortKey] = {
    CountOrder.OWNER: SortKey("owner_id", "uuid", lambda text: str(UUID(text))),
    Order.UPDATED_AT: SortKey("updated_at", "timestamptz", _normalize_time),
    Order.DUE_DATE: SortKey(f"coalesce(due_date, '{NO_DUE_DATE}'::date)", "date", _normalize_date),
    Order.PRIORITY: SortKey(
        f"array_position(ARRAY[{_PRIORITIES_ASCENDING}], priority)", "integer", _normalize_priority
    ),
    # This collation ignores case and sorts alike on every server: it does not depend on the database's locale.
    Order.TITLE: SortKey('lower(title COLLATE "pg_c_utf8")', "text", _normalize_title),
}
"""Sort keys by order. Order.CREATED_AT has none: the id is the key."""


class IndexKey(NamedTuple):
    """Key of a row in a list or an index: the text of its sort key, and its id."""

    text: str
    task_id: UUID


def decode_page_key(raw: bytes, order: PathOrder) -> IndexKey:
    """Return the key of a page token. Raises InvalidPageToken for a forged one."""
    try:
        task_id, text = UUID(bytes=raw[:UUID_BYTES]), raw[UUID_BYTES:].decode()
        if key := SORT_KEYS.get(order):
            return IndexKey(key.normalize(text), task_id)
    except (ValueError, OverflowError):  # UnicodeDecodeError is a ValueError
        raise InvalidPageToken from None
    if text:
        raise InvalidPageToken
    return IndexKey("", task_id)
