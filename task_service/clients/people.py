"""Who has an account, remembered for a while: an import names the same few people in every batch."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Protocol
from uuid import UUID

from taskmanager.auth.v1 import user_pb2

from task_service.clients.remembered import MOST_REMEMBERED, Remembered

REMEMBERED_SECONDS = 60.0
NOBODY_SECONDS = 3.0
"""A name that nobody has is asked for again soon: an account may just be made."""
MOST_AT_ONCE = 1000
"""Names in one call, as auth_service takes them."""


class Users(Protocol):
    """Where accounts are looked up."""

    async def user(self, *, user_id: str) -> user_pb2.User | None:
        """The user of an id; None when there is none."""


class NamedUsers(Users, Protocol):
    """Where accounts are also looked up many at a time."""

    async def names(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """The usernames of those who have an account."""

    async def ids(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        """Those who have these names, at most 1000, and may log in."""


class RememberedPeople:
    """Asks for each person once in a while, and for all names of a batch together."""

    def __init__(
        self, users: NamedUsers, *, now: Callable[[], float] = time.monotonic, most: int = MOST_REMEMBERED
    ) -> None:
        self._users = users
        self._known = Remembered[UUID, bool](seconds=REMEMBERED_SECONDS, most=most, now=now)
        self._ids = Remembered[str, UUID](seconds=REMEMBERED_SECONDS, most=most, now=now)
        self._nobodies = Remembered[str, bool](seconds=NOBODY_SECONDS, most=most, now=now)
        self._names = Remembered[UUID, str](seconds=REMEMBERED_SECONDS, most=most, now=now)

    async def is_known(self, user_id: UUID) -> bool:
        if self._known.get(user_id):
            return True
        # Who was not found is asked for again: an account may just be made.
        if await self._users.user(user_id=str(user_id)) is None:
            return False
        self._known.put(user_id, True)
        return True

    async def named(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        known = {name: user_id for name in usernames if (user_id := self._ids.get(name)) is not None}
        unknown = [name for name in usernames if name not in known and not self._nobodies.get(name)]
        for begin in range(0, len(unknown), MOST_AT_ONCE):
            some = unknown[begin : begin + MOST_AT_ONCE]
            found = await self._users.ids(some)
            for name in some:
                if name in found:
                    self._ids.put(name, found[name])
                else:
                    self._nobodies.put(name, True)
            known |= found
        return known

    async def called(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        known = {user_id: name for user_id in user_ids if (name := self._names.get(user_id)) is not None}
        if unknown := [user_id for user_id in user_ids if user_id not in known]:
            for user_id, name in (await self._users.names(unknown)).items():
                self._names.put(user_id, name)
                known[user_id] = name
        return known
