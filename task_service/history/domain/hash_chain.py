"""Seals: the committed log in pieces, each bound by its hash to all before it (docs/history.md).

Whoever has kept one seal's number and hash can tell later whether anything up to it was changed.
"""

import hashlib
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from task_service.history.domain.event_log import BEGINNING, Place

EVENTS_AT_MOST = 1000
"""In one seal: its manifest stays below 48 KiB."""

NO_HASH = bytes(32)
"""What stands before the first seal."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENTRY = struct.Struct(">16s32s")
_NUMBERS = struct.Struct(">qqq")
_KEPT = re.compile(r"([0-9]{1,18}):([0-9a-fA-F]{64})", re.ASCII)


class Head(NamedTuple):
    """The newest seal, as much of it as the next one and an outsider need."""

    number: int = 0
    hash: bytes = NO_HASH
    events: int = 0
    """Sealed in all."""
    place: Place = BEGINNING
    """Of the newest event that is sealed."""
    sealed_at: datetime | None = None


class KeptHead(NamedTuple):
    """What an outsider has kept of a head."""

    number: int
    hash: bytes

    @classmethod
    def parse(cls, text: str) -> "KeptHead":
        """Reads NUMBER:HASH; ValueError."""
        found = _KEPT.fullmatch(text)
        if found is None:
            raise ValueError(text)
        return cls(int(found[1]), bytes.fromhex(found[2]))


class Entry(NamedTuple):
    """One event in a seal's manifest."""

    event_id: UUID
    digest: bytes


class Seal(NamedTuple):
    """A piece of the log, sealed."""

    number: int
    events: int
    events_in_all: int
    place: Place
    """Of its last event."""
    manifest: bytes
    """Id and digest of each event, in the order of the log."""
    hash_before: bytes
    hash: bytes
    sealed_at: datetime

    def computed_hash(self) -> bytes:
        """What its hash has to be, by all that the seal says."""
        moment = (self.sealed_at - _EPOCH) // timedelta(microseconds=1)
        numbers = _NUMBERS.pack(self.number, self.events, moment)
        return hashlib.sha256(self.hash_before + numbers + self.manifest).digest()

    def entries(self) -> Iterator[Entry]:
        """What the manifest lists."""
        for event_id, digest in _ENTRY.iter_unpack(self.manifest):
            yield Entry(UUID(bytes=event_id), digest)

    def follows(self, before: Head) -> bool:
        """Whether this is just what can stand behind a head: all of it adds up, and nothing in it was changed."""
        return (
            self.number == before.number + 1
            and self.hash_before == before.hash
            and len(self.manifest) == self.events * _ENTRY.size
            and self.events_in_all == before.events + self.events
            and self.manifest[-_ENTRY.size :].startswith(self.place.event_id.bytes)
            and self.hash == self.computed_hash()
        )

    def head(self) -> Head:
        return Head(self.number, self.hash, self.events_in_all, self.place, self.sealed_at)


class FreeText(StrEnum):
    """What became of an event's free text."""

    NONE = "none"
    KEPT = "kept"
    ERASED = "erased"
    CHANGED = "changed"
    """It is not what was hashed."""


class Standing(NamedTuple):
    """An event as it stands in the log now."""

    place: Place
    digest: bytes
    free_text: FreeText
