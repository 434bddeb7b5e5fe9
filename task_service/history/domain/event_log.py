"""Event log: all events in commit order, and positions in it."""

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from task_service.history.domain.errors import InvalidCursor
from task_service.history.domain.events import Action, TaskEvent

_POSITION = struct.Struct(">Q16s")
_MAX_TRANSACTION = 2**63 - 1


class LogPosition(NamedTuple):
    """Position directly after one event. Positions compare in log order."""

    transaction: int
    event_id: UUID

    def to_bytes(self) -> bytes:
        """Return 24 bytes, big-endian."""
        return _POSITION.pack(self.transaction, self.event_id.bytes)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "LogPosition":
        """Decode the output of to_bytes. Raises ValueError for anything else."""
        if len(raw) != _POSITION.size:
            raise ValueError(raw)
        transaction, event_id = _POSITION.unpack(raw)
        if transaction > _MAX_TRANSACTION:
            raise ValueError(raw)
        return cls(transaction, UUID(bytes=event_id))

    def to_cursor(self) -> str:
        """Return URL-safe base64 of to_bytes."""
        return base64.urlsafe_b64encode(self.to_bytes()).decode()

    @classmethod
    def from_cursor(cls, text: str) -> "LogPosition":
        """Decode the output of to_cursor. Raises InvalidCursor."""
        try:
            return cls.from_bytes(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
        except (ValueError, binascii.Error):
            raise InvalidCursor from None

    @classmethod
    def before_transaction(cls, transaction: int) -> "LogPosition":
        """Return the position before the first event of a transaction."""
        return cls(transaction, UUID(int=0))


LOG_START = LogPosition.before_transaction(0)


class LoggedEvent(NamedTuple):
    """Event with the position after it."""

    event: TaskEvent
    position: LogPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Filter for events. None and empty values do not filter.

    Equal queries have equal text, because page tokens contain a fingerprint of that text.
    """

    visible_to: UUID | None = None
    """Only events of tasks that this user owned or was assigned when they happened."""
    task_id: UUID | None = None
    owner_id: UUID | None = None
    actor_id: UUID | None = None
    actions: tuple[Action, ...] = ()
    occurred_before: datetime | None = None
    occurred_after: datetime | None = None
    request_id: str = ""
    newest_first: bool = False
