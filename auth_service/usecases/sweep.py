"""Dropping what no longer matters."""

from dataclasses import dataclass
from datetime import timedelta

from auth_service.domain.events import KEPT_AT_LEAST
from auth_service.usecases.ports import Begin
from chassis.kernel.clock import Clock

KEPT = timedelta(minutes=1)
"""How long something is kept behind its end: clocks differ, and a call may be looking at it."""

BATCH = 1000
"""How many events go in one transaction: a log of years is dropped without holding anybody up."""


@dataclass(frozen=True, slots=True)
class SweepExpired:
    """Drops revocations that match no living token, sessions that have come to their end, old attempts and codes."""

    begin: Begin
    now: Clock

    async def __call__(self) -> int:
        """How many rows went."""
        before = self.now() - KEPT
        async with self.begin() as work:
            gone = await work.revocations.forget(before=before)
            gone += await work.sessions.forget(before=before)
            gone += await work.attempts.forget(before=before)
            gone += await work.resets.forget(before=before)
            await work.commit()
        return gone


@dataclass(frozen=True, slots=True)
class ForgetOldEvents:
    """Drops security events that have been kept long enough."""

    begin: Begin
    kept_for: timedelta
    now: Clock

    async def __call__(self) -> int:
        """How many went."""
        before = self.now() - max(self.kept_for, KEPT_AT_LEAST)
        gone, batch = 0, BATCH
        while batch == BATCH:
            async with self.begin() as work:
                batch = await work.events.forget(before=before, most=BATCH)
                await work.commit()
            gone += batch
        return gone
