"""Hash chain: appending blocks, and verification of history."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from task_service.history.domain.event_log import LogPosition
from task_service.history.domain.hash_chain import (
    MAX_BLOCK_EVENTS,
    Block,
    ChainHead,
    FreeTextState,
    ManifestEntry,
    StoredEvent,
    TrustedHead,
)
from task_service.history.usecases.ports import Blocks, HistoryReadSession, HistoryUnitOfWork

PAUSE_FACTOR = 9
"""Pause after a full block, as a multiple of the time for the block. The chain therefore uses at most a tenth of one
core after a big import."""

BLOCK_PAGE_SIZE = 50
EVENT_PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class AppendBlocks:
    """Append blocks for all events committed since the last block; return the number of these events.

    Any number of processes may run this, because an advisory lock keeps one chain. A process that does not get the
    lock stops.
    """

    begin: Callable[[], HistoryUnitOfWork]
    sleep: Callable[[float], Awaitable[None]]

    async def __call__(self) -> int:
        appended = 0
        while True:
            started = time.monotonic()
            async with self.begin() as work:
                if not await work.blocks.try_lock():
                    return appended
                event_count = await work.blocks.append(
                    await work.blocks.head(), await work.event_log.horizon(), MAX_BLOCK_EVENTS
                )
                await work.commit()
            appended += event_count
            if event_count < MAX_BLOCK_EVENTS:
                return appended
            await self.sleep(PAUSE_FACTOR * (time.monotonic() - started))


@dataclass(frozen=True, slots=True)
class GetAuditHead:
    """Get the head of the hash chain."""

    read: Callable[[], HistoryReadSession]

    async def __call__(self) -> ChainHead:
        async with self.read() as session:
            return await session.blocks.head()


class HistoryTampered(Exception):
    """History does not match the hash chain. The message names the first event or block that differs."""


class VerificationResult(NamedTuple):
    """Result for history that matches the hash chain."""

    head: ChainHead
    erased_events: int
    """Sealed events whose free text was erased."""
    unsealed_events: int
    """Events after the last block. Nothing protects them yet."""


@dataclass(frozen=True, slots=True)
class VerifyHashChain:
    """Compare the event log with the blocks from the beginning, and stop at the first difference.

    Each page is read with a snapshot of its own, because a long-lived one would hold back VACUUM. Sealed events
    don't change meanwhile, and blocks that are appended meanwhile are verified too.
    """

    blocks: Blocks

    async def __call__(self, trusted: TrustedHead | None) -> VerificationResult:
        """Verify the whole chain, and that it contains the trusted head. Raises HistoryTampered."""
        head, erased_events = ChainHead(), 0
        _check_trusted(head, trusted)
        while blocks := await self.blocks.list_after(head.number, BLOCK_PAGE_SIZE):
            for version, group in groupby(blocks, lambda block: block.digest_version):
                same_version = list(group)
                event_count = sum(max(block.event_count, 0) for block in same_version)
                stored_events = self._stored_events(head.position, event_count, version)
                for block in same_version:
                    erased_events += await self._verify_block(block, head, stored_events)
                    head = block.head()
                    _check_trusted(head, trusted)
        if trusted is not None and trusted.number > head.number:
            raise HistoryTampered(
                f"The end was cut off: the trusted head is block {trusted.number}, the last block is {head.number}."
            )
        return VerificationResult(head, erased_events, await self.blocks.count_events_after(head.position))

    async def _verify_block(self, block: Block, head: ChainHead, stored_events: AsyncIterator[StoredEvent]) -> int:
        """Return the number of the block's events whose free text is erased."""
        if not block.follows(head):
            raise HistoryTampered(f"Block {head.number + 1} was changed or removed.")
        erased_events, stored = 0, None
        for entry in block.entries():
            stored = await anext(stored_events, None)
            erased_events += await self._is_erased(entry, stored, block)
        if stored is None or stored.position != block.position:
            last = block.position.event_id
            raise HistoryTampered(f"Block {block.number} was changed, or its last event {last} was moved.")
        return erased_events

    async def _is_erased(self, entry: ManifestEntry, stored: StoredEvent | None, block: Block) -> bool:
        """Check an event against its manifest entry; return whether its free text is erased."""
        suffix = f"(block {block.number})"
        if stored is None or stored.position.event_id != entry.event_id:
            if not await self.blocks.event_exists(entry.event_id):
                raise HistoryTampered(f"Event {entry.event_id} was removed {suffix}.")
            if stored is None or await self._is_sealed(stored.position.event_id, block.number):
                raise HistoryTampered(f"Event {entry.event_id} is not at its position {suffix}: events were reordered.")
            inserted = stored.position.event_id
            raise HistoryTampered(f"Event {inserted} was inserted before event {entry.event_id} {suffix}.")
        if stored.digest != entry.digest:
            raise HistoryTampered(f"Event {entry.event_id} was edited {suffix}.")
        if stored.free_text is FreeTextState.MODIFIED:
            raise HistoryTampered(f"The free text of event {entry.event_id} was edited {suffix}.")
        return stored.free_text is FreeTextState.ERASED

    async def _is_sealed(self, event_id: UUID, first_number: int) -> bool:
        """Return whether a block from `first_number` on lists the event."""
        number = first_number - 1
        while blocks := await self.blocks.list_after(number, BLOCK_PAGE_SIZE):
            if any(entry.event_id == event_id for block in blocks for entry in block.entries()):
                return True
            number = blocks[-1].number
        return False

    async def _stored_events(
        self, position: LogPosition, count: int, digest_version: int
    ) -> AsyncIterator[StoredEvent]:
        """Yield `count` events after a position. The blocks were read before, so all their events are committed."""
        while count > 0 and (
            events := await self.blocks.stored_events_after(position, min(count, EVENT_PAGE_SIZE), digest_version)
        ):
            for event in events:
                yield event
            position = events[-1].position
            count -= len(events)


def _check_trusted(head: ChainHead, trusted: TrustedHead | None) -> None:
    if trusted is not None and trusted.number == head.number and trusted.hash != head.hash:
        raise HistoryTampered(f"Block {head.number} does not match the trusted head: the chain was rewritten.")
