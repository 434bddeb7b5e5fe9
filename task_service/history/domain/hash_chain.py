"""Hash chain over the event log. Each block hashes its events and the hash of the block before it.

A copy of a block's number and hash outside the database later proves that nothing up to that block was changed
(docs/history.md).
"""

import hashlib
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from task_service.history.domain.event_log import LOG_START, LogPosition

MAX_BLOCK_EVENTS = 1000
"""Maximum number of events in a block: its manifest stays below 48 KiB."""

GENESIS_HASH = bytes(32)
"""Previous hash of the first block."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENTRY = struct.Struct(">16s32s")
_NUMBER = struct.Struct(">q")
_NUMBERS = struct.Struct(">qqq")
_TRUSTED_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-fA-F]{64})", re.ASCII)


class ChainHead(NamedTuple):
    """Summary of the newest block. The defaults describe an empty chain."""

    number: int = 0
    hash: bytes = GENESIS_HASH
    total_events: int = 0
    """Number of events in all blocks."""
    position: LogPosition = LOG_START
    """Position of the newest event in the chain."""
    sealed_at: datetime | None = None


class TrustedHead(NamedTuple):
    """Number and hash of a block, copied to storage that the database's operator can't write."""

    number: int
    hash: bytes

    @classmethod
    def parse(cls, text: str) -> "TrustedHead":
        """Parse NUMBER:HASH. Raises ValueError."""
        match = _TRUSTED_HEAD.fullmatch(text)
        if match is None:
            raise ValueError(text)
        return cls(int(match[1]), bytes.fromhex(match[2]))


class ManifestEntry(NamedTuple):
    """Entry of one event in a block's manifest."""

    event_id: UUID
    digest: bytes


class Block(NamedTuple):
    """Section of the event log with its hash."""

    number: int
    event_count: int
    total_events: int
    """Number of events in this block and all blocks before it."""
    position: LogPosition
    """Position of the last event."""
    manifest: bytes
    """Id and digest of each event, 48 bytes each, in log order."""
    digest_version: int
    """Version of the digests in the manifest."""
    previous_hash: bytes
    hash: bytes
    sealed_at: datetime

    def compute_hash(self) -> bytes:
        """Return SHA-256 of the previous hash, digest version, number, event count, time in microseconds and manifest.

        Blocks of version 1 do not hash their version.
        """
        moment = (self.sealed_at - _EPOCH) // timedelta(microseconds=1)
        version = b"" if self.digest_version == 1 else _NUMBER.pack(self.digest_version)
        numbers = _NUMBERS.pack(self.number, self.event_count, moment)
        return hashlib.sha256(self.previous_hash + version + numbers + self.manifest).digest()

    def entries(self) -> Iterator[ManifestEntry]:
        """Yield the entries of the manifest in log order."""
        for event_id, digest in _ENTRY.iter_unpack(self.manifest):
            yield ManifestEntry(UUID(bytes=event_id), digest)

    def follows(self, head: ChainHead) -> bool:
        """Return whether this is a valid next block: it extends the head, and its fields match its hash."""
        return (
            self.number == head.number + 1
            and self.previous_hash == head.hash
            and len(self.manifest) == self.event_count * _ENTRY.size
            and self.total_events == head.total_events + self.event_count
            and self.manifest[-_ENTRY.size :].startswith(self.position.event_id.bytes)
            and self.hash == self.compute_hash()
        )

    def head(self) -> ChainHead:
        """Return the chain's head after this block."""
        return ChainHead(self.number, self.hash, self.total_events, self.position, self.sealed_at)


class FreeTextState(StrEnum):
    """State of an event's free text, compared with its digest."""

    NONE = "none"
    INTACT = "intact"
    ERASED = "erased"
    MODIFIED = "modified"


class StoredEvent(NamedTuple):
    """Digest of an event, computed from its row as it is now."""

    position: LogPosition
    digest: bytes
    free_text: FreeTextState
