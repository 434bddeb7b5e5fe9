"""Reading the trust state, for the verifiers of access tokens."""

from dataclasses import dataclass

from auth_service.domain.errors import InvalidCursor
from auth_service.domain.trust import TrustCursor, TrustState
from auth_service.usecases.ports import Read
from chassis.kernel.clock import Clock
from chassis.kernel.pagination import NegativePageSize

MAX_REVOCATIONS = 10_000
"""Maximum number of revocations in one response: about 600 kB, well below the 4 MiB of a gRPC message."""


@dataclass(frozen=True, slots=True)
class GetTrustState:
    """Read the valid keys, and the revocations since a verifier's last request."""

    read: Read
    now: Clock

    async def __call__(self, cursor_text: str, *, page_size: int = 0) -> TrustState:
        """Return a page of the trust state. `page_size` 0 is MAX_REVOCATIONS; a larger one is cut to it.

        Raises:
            NegativePageSize: the page size is below 0.
            InvalidCursor: this database never issued the cursor. A cursor from the future is invalid too: after a
                restore, verifiers hold cursors of the lost transactions.

        """
        if page_size < 0:
            raise NegativePageSize
        limit = min(page_size or MAX_REVOCATIONS, MAX_REVOCATIONS)
        cursor = TrustCursor.parse(cursor_text)
        async with self.read() as repositories:
            # Read the horizon before the revocations: a commit in between is then returned twice, never missed.
            horizon = await repositories.revocations.horizon()
            if cursor.horizon > horizon:
                raise InvalidCursor
            page = await repositories.revocations.list_page(cursor.position, now=self.now(), limit=limit)
            keys = [key for key in await repositories.signing_keys.list_all() if key.is_valid(self.now())]
        return TrustState(
            keys=keys, revocations=page.revocations, cursor=cursor.next(horizon=horizon, page_end=page.last)
        )
