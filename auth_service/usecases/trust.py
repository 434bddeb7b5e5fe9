"""Reading the trust state, for the verifiers of access tokens."""

from dataclasses import dataclass

from auth_service.domain.errors import InvalidCursor
from auth_service.domain.trust import TrustCursor, TrustState
from auth_service.usecases.ports import Read
from chassis.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class GetTrustState:
    """Read the valid keys, and the revocations since a verifier's last request."""

    read: Read
    now: Clock

    async def __call__(self, cursor_text: str) -> TrustState:
        """Return the trust state; raise InvalidCursor for a cursor that this database never issued.

        A cursor from the future is invalid too: after a restore, verifiers hold cursors of the lost transactions.
        """
        cursor = TrustCursor.parse(cursor_text)
        async with self.read() as repositories:
            # Read the horizon before the revocations: a commit in between is then returned twice, never missed.
            horizon = await repositories.revocations.horizon()
            if cursor > horizon:
                raise InvalidCursor
            revocations = await repositories.revocations.list_since(cursor, now=self.now())
            keys = [key for key in await repositories.signing_keys.list_all() if key.is_valid(self.now())]
        return TrustState(keys=keys, revocations=revocations, cursor=horizon)
