"""Telling verifiers whom to believe."""

from dataclasses import dataclass

from auth_service.domain.errors import InvalidCursor
from auth_service.domain.trust import TrustCursor, TrustState
from auth_service.usecases.ports import Read
from chassis.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class GetTrustState:
    """Answers the keys and what was revoked since a verifier last asked."""

    read: Read
    now: Clock

    async def __call__(self, cursor: str) -> TrustState:
        """The state; InvalidCursor for a cursor that this database never handed out, as after a restore."""
        since = TrustCursor.parse(cursor)
        async with self.read() as reading:
            # Taken before the revocations are read: what commits in between is told twice rather than never.
            horizon = await reading.revocations.horizon()
            if since > horizon:
                raise InvalidCursor
            revocations = await reading.revocations.since(since, now=self.now())
            keys = [key for key in await reading.keys.all() if key.is_believed(self.now())]
        return TrustState(keys=keys, revocations=revocations, cursor=horizon)
