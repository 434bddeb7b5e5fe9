"""Sealing history, and holding it against its seals."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from task_service.history.domain.event_log import Place
from task_service.history.domain.hash_chain import EVENTS_AT_MOST, Entry, FreeText, Head, KeptHead, Seal, Standing
from task_service.tasks.usecases.ports import Reading, Seals, UnitOfWork

REST = 9
"""How long the sealer rests after each seal, in times of what the seal took: behind a big import it catches up with a
tenth of one core, and leaves the rest to whoever waits for an answer."""

SEALS_AT_A_TIME = 50
EVENTS_AT_A_TIME = 1000


@dataclass(frozen=True, slots=True)
class SealHistory:
    """Seals what was committed since the last seal, in the order of the log; answers how many events that were.

    However many processes do this, they make one chain: who finds another at it leaves it to that one.
    """

    begin: Callable[[], UnitOfWork]
    pause: Callable[[float], Awaitable[None]]

    async def __call__(self) -> int:
        sealed = 0
        while True:
            began = time.monotonic()
            async with self.begin() as unit:
                if not await unit.seals.take_turn():
                    return sealed
                events = await unit.seals.add(await unit.seals.head(), EVENTS_AT_MOST)
                await unit.commit()
            sealed += events
            if events < EVENTS_AT_MOST:
                return sealed
            await self.pause(REST * (time.monotonic() - began))


@dataclass(frozen=True, slots=True)
class GetAuditHead:
    read: Callable[[], Reading]

    async def __call__(self) -> Head:
        async with self.read() as data:
            return await data.seals.head()


class Tampered(Exception):
    """History is not what was sealed; the message names the first event or seal of which that can be said."""


class Verified(NamedTuple):
    """What stood firm."""

    head: Head
    erased: int
    """Sealed events whose free text was erased since."""
    not_sealed: int
    """Events behind the last seal: nothing can be said of them yet."""


@dataclass(frozen=True, slots=True)
class VerifyHistory:
    """Walks along the log and the seals side by side, from the beginning, and stops at the first that differ.

    Reads both a page at a time, and each page for itself: a long transaction would hold back others' cleaning up.
    What is sealed does not change meanwhile, and what is sealed meanwhile is walked along too.
    """

    seals: Seals

    async def __call__(self, kept: KeptHead | None) -> Verified:
        """What was found to be whole, up to a head that somebody has kept, too. Tampered."""
        head, erased = Head(), 0
        _expect(head, kept)
        while seals := await self.seals.following(head.number, SEALS_AT_A_TIME):
            log = self._log(head.place, sum(max(seal.events, 0) for seal in seals))
            for seal in seals:
                erased += await self._walk(seal, head, log)
                head = seal.head()
                _expect(head, kept)
        if kept is not None and kept.number > head.number:
            raise Tampered(f"The end was cut off: seal {kept.number} was kept, the last one here is {head.number}.")
        return Verified(head, erased, await self.seals.count_behind(head.place))

    async def _walk(self, seal: Seal, before: Head, log: AsyncIterator[Standing]) -> int:
        """How many of a seal's events have been erased."""
        if not seal.follows(before):
            raise Tampered(f"Seal {before.number + 1} was changed or removed.")
        erased, found = 0, None
        for entry in seal.entries():
            found = await anext(log, None)
            erased += await self._compare(entry, found, seal)
        if found is None or found.place != seal.place:
            last = seal.place.event_id
            raise Tampered(f"Seal {seal.number} was changed, or its last event {last} was moved.")
        return erased

    async def _compare(self, entry: Entry, found: Standing | None, seal: Seal) -> bool:
        """Whether the free text of an event, which is what and where it was, has been erased."""
        where = f"(seal {seal.number})"
        if found is None or found.place.event_id != entry.event_id:
            if not await self.seals.is_there(entry.event_id):
                raise Tampered(f"Event {entry.event_id} was removed {where}.")
            if found is None or await self._is_sealed(found.place.event_id, seal.number):
                raise Tampered(f"Event {entry.event_id} does not stand where it was {where}: events were reordered.")
            raise Tampered(f"Event {found.place.event_id} was inserted before event {entry.event_id} {where}.")
        if found.digest != entry.digest:
            raise Tampered(f"Event {entry.event_id} was edited {where}.")
        if found.free_text is FreeText.CHANGED:
            raise Tampered(f"The free text of event {entry.event_id} was edited {where}.")
        return found.free_text is FreeText.ERASED

    async def _is_sealed(self, event_id: UUID, number: int) -> bool:
        """Whether a seal from that one on lists the event."""
        number -= 1
        while seals := await self.seals.following(number, SEALS_AT_A_TIME):
            if any(entry.event_id == event_id for seal in seals for entry in seal.entries()):
                return True
            number = seals[-1].number
        return False

    async def _log(self, place: Place, count: int) -> AsyncIterator[Standing]:
        """So many events behind a place: what seals that were read before are about, and all of that is committed."""
        while count > 0 and (events := await self.seals.standing(place, min(count, EVENTS_AT_A_TIME))):
            for event in events:
                yield event
            place = events[-1].place
            count -= len(events)


def _expect(head: Head, kept: KeptHead | None) -> None:
    if kept is not None and kept.number == head.number and kept.hash != head.hash:
        raise Tampered(f"Seal {head.number} is not the one that was kept: the chain was written anew.")
