"""Whether those whom imports belong to still have their accounts."""

import asyncio
import time
from collections.abc import Callable
from uuid import UUID

import structlog
from grpc.aio import AioRpcError

from chassis.kernel.errors import Unavailable
from task_service.clients.people import Users
from task_service.clients.remembered import MOST_REMEMBERED, Remembered

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
        self._ask_seconds = ask_seconds
        self._answers = Remembered[UUID, bool](seconds=REMEMBERED_SECONDS, most=most, now=now)

    async def is_active(self, user_id: UUID) -> bool:
        active = self._answers.get(user_id)
        if active is None:
            active = await self._ask(user_id)
            self._answers.put(user_id, active)
        return active

    async def _ask(self, user_id: UUID) -> bool:
        try:
            async with asyncio.timeout(self._ask_seconds):
                return await self._users.user(user_id=str(user_id)) is not None
        except (Unavailable, TimeoutError, AioRpcError) as error:
            log.warning("the owner of an import can't be asked for", error=type(error).__name__)
            return self._answers.last(user_id, True)
