"""Dropping what no longer matters."""

from dataclasses import dataclass
from datetime import timedelta

from auth_service.usecases.ports import Begin
from chassis.kernel import Clock

KEPT = timedelta(minutes=1)
"""How long something is kept behind its end: clocks differ, and a call may be looking at it."""


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
