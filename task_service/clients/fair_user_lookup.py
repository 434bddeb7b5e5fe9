"""Look-ups of users, shared fairly between callers."""

from collections.abc import AsyncIterator, Callable, Collection, Hashable, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from taskmanager.auth.v1 import user_pb2

from chassis.kernel.fair_limit import FairLimiter, NoFreeSlot
from chassis.limits.load_shed import SHED_CALLS, Overloaded
from task_service.clients.auth import CALL_TIMEOUT_SECONDS
from task_service.clients.user_directory import UserLookup

MAX_LOOKUPS = 6
"""Concurrent look-ups of all callers: fewer than auth_service has database connections, so logins go on."""
MAX_LOOKUPS_PER_CALLER = 3

LOOKUP = "lookup"
"""Kind of these refusals in the metric of load shedding."""


class FairUserLookup:
    """Look-ups of users with a limit for each caller. They also raise Overloaded after a long wait for a turn.

    `caller_key` returns the key of the current caller; None means that no limit applies.
    """

    def __init__(self, users: UserLookup, *, caller_key: Callable[[], Hashable | None]) -> None:
        self._users = users
        self._caller_key = caller_key
        self._limiter = FairLimiter(max_total=MAX_LOOKUPS, max_per_key=MAX_LOOKUPS_PER_CALLER)

    async def find_user(self, user_id: str) -> user_pb2.User | None:
        async with self._turn():
            return await self._users.find_user(user_id)

    async def usernames_by_id(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        async with self._turn():
            return await self._users.usernames_by_id(user_ids)

    async def ids_by_username(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        async with self._turn():
            return await self._users.ids_by_username(usernames)

    async def ids_by_email(self, emails: Collection[str]) -> Mapping[str, UUID]:
        async with self._turn():
            return await self._users.ids_by_email(emails)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        key = self._caller_key()
        if key is None:
            yield
            return
        try:
            async with self._limiter.slot(key, timeout_seconds=CALL_TIMEOUT_SECONDS):
                yield
        except NoFreeSlot:
            SHED_CALLS.labels(LOOKUP).inc()
            raise Overloaded from None
