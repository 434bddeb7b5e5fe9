"""The events of all tasks in the order of their commits, and places between them."""

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from task_service.history.domain.events import Action, TaskEvent
from task_service.tasks.domain.errors import InvalidCursor

_PLACE = struct.Struct(">Q16s")
_LARGEST = 2**63 - 1


class Place(NamedTuple):
    """A place in the log: behind one event of one transaction. The order of places is the order of the log."""

    transaction: int
    event_id: UUID

    def to_bytes(self) -> bytes:
        return _PLACE.pack(self.transaction, self.event_id.bytes)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Place":
        """Reads what to_bytes wrote; ValueError for anything else."""
        if len(raw) != _PLACE.size:
            raise ValueError(raw)
        transaction, event_id = _PLACE.unpack(raw)
        if transaction > _LARGEST:
            raise ValueError(raw)
        return cls(transaction, UUID(bytes=event_id))

    def to_cursor(self) -> str:
        return base64.urlsafe_b64encode(self.to_bytes()).decode()

    @classmethod
    def from_cursor(cls, text: str) -> "Place":
        """Reads a cursor. InvalidCursor."""
        try:
            return cls.from_bytes(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
        except (ValueError, binascii.Error):
            raise InvalidCursor from None


BEGINNING = Place(0, UUID(int=0))


class Logged(NamedTuple):
    """An event and the place behind it."""

    event: TaskEvent
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events. None and empty are no restriction. Equal queries have the same text: page tokens need it."""

    seen_by: UUID | None = None
    """Of tasks that this user owned or was assigned when it happened."""
    task_id: UUID | None = None
    owner_id: UUID | None = None
    actor_id: UUID | None = None
    actions: tuple[Action, ...] = ()
    occurred_before: datetime | None = None
    occurred_after: datetime | None = None
    request_id: str = ""
    newest_first: bool = False
