"""The event log: all events in commit order, and positions in it.

Each transaction that changes tasks takes a number after its last row lock, and all its events carry that number. Of two
transactions that change the same task, the later one therefore has the higher number.
"""

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from task_service.history.domain.errors import CursorExpired, InvalidCursor
from task_service.history.domain.events import AccessChange, Action, TaskEvent

_POSITION = struct.Struct(">Q16s")
_CURSOR = struct.Struct(">Q24s")
_MAX_TRANSACTION = 2**63 - 1


class LogPosition(NamedTuple):
    """Position directly after one event. Positions compare in log order."""

    transaction: int
    """Number of the transaction that wrote the event."""
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

    @classmethod
    def before_transaction(cls, transaction: int) -> "LogPosition":
        """Return the position before the first event of a transaction."""
        return cls(transaction, UUID(int=0))


LOG_START = LogPosition.before_transaction(0)


class Cursor(NamedTuple):
    """Position for a client to keep. It is valid for one epoch of the log, which a restore from a backup ends."""

    epoch: int
    position: LogPosition

    def to_bytes(self) -> bytes:
        """Return 32 bytes, big-endian."""
        return _CURSOR.pack(self.epoch, self.position.to_bytes())

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Cursor":
        """Decode the output of to_bytes. Raises ValueError for anything else."""
        if len(raw) != _CURSOR.size:
            raise ValueError(raw)
        epoch, position = _CURSOR.unpack(raw)
        return cls(epoch, LogPosition.from_bytes(position))

    def to_text(self) -> str:
        """Return URL-safe base64 of to_bytes."""
        return base64.urlsafe_b64encode(self.to_bytes()).decode()

    @classmethod
    def from_text(cls, text: str) -> "Cursor":
        """Decode the output of to_text. Raises InvalidCursor."""
        try:
            return cls.from_bytes(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
        except (ValueError, binascii.Error):
            raise InvalidCursor from None

    def position_in(self, epoch: int) -> LogPosition:
        """Return the position. Raises CursorExpired if the log has another epoch by now."""
        if epoch != self.epoch:
            raise CursorExpired
        return self.position


class LoggedEvent(NamedTuple):
    """Event with the position after it."""

    event: TaskEvent
    position: LogPosition
    access_change: AccessChange | None = None
    """Effect on the access of the user for whom the log was read. If there is one, the event has no changes."""

    def for_user(self, user_id: UUID) -> "LoggedEvent":
        """Return the event as a user may see it, who could see the task before or after the change.

        A value from a time without access must not be shown: neither the new ones of the change by which the user lost
        access, nor the old ones of the change by which the user gained it.
        """
        access_change = self.event.access_change(user_id)
        if access_change is None:
            return self
        return self._replace(event=self.event._replace(changes=()), access_change=access_change)


class LogSection(NamedTuple):
    """Section of the log that was read."""

    events: Sequence[LoggedEvent]
    """Events of the section that match the query, in the requested order."""
    end: LogPosition | None
    """Position up to which the log was read; None: all events below the horizon were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Filter for events. None and empty values do not filter.

    Equal queries have equal text, because page tokens contain a fingerprint of that text.
    """

    visible_to: UUID | None = None
    """Only events of tasks that this user could see before or after the change, as the user may see them."""
    task_id: UUID | None = None
    owner_id: UUID | None = None
    actor_id: UUID | None = None
    actions: tuple[Action, ...] = ()
    occurred_before: datetime | None = None
    occurred_after: datetime | None = None
    request_id: str = ""
    newest_first: bool = False
