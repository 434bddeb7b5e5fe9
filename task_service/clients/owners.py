"""Whether those whom imports belong to still have their accounts."""

import asyncio
import time
from collections.abc import Callable
from uuid import UUID

import structlog
from grpc.aio import AioRpcError

from chassis.kernel import Unavailable
from task_service.clients.people import MOST_REMEMBERED, Users

REMEMBERED_SECONDS = 3.0
ASK_SECONDS = 1.0

log = structlog.get_logger("owners")


class RememberedOwners:
    """Asks for each owner once in a few seconds.

    An import must not end, nor wait for long, because auth_service can't be asked: as long as it is silent, or answers
    anything but yes or no, what it last said holds, and who was never asked for has an account.
    """

    def __init__(
        self,
        users: Users,
        *,
        now: Callable[[], float] = time.monotonic,
        ask_seconds: float = ASK_SECONDS,
        most: int = MOST_REMEMBERED,
    ) -> None:
        self._users = users
        self._now = now
        self._ask_seconds = ask_seconds
        self._most = most
        self._known: dict[UUID, tuple[float, bool]] = {}

    async def is_active(self, user_id: UUID) -> bool:
        until, active = self._known.get(user_id, (0.0, True))
        if self._now() < until:
            return active
        try:
            async with asyncio.timeout(self._ask_seconds):
                active = await self._users.user(user_id=str(user_id)) is not None
        except (Unavailable, TimeoutError, AioRpcError) as error:
            log.warning("the owner of an import can't be asked for", error=type(error).__name__)
        if user_id not in self._known and len(self._known) >= self._most:
            self._known.pop(next(iter(self._known)))
        self._known[user_id] = (self._now() + REMEMBERED_SECONDS, active)
        return active
