"""Who has an account, remembered for a while: an import names the same few people in every batch."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Protocol
from uuid import UUID

from taskmanager.auth.v1 import user_pb2

REMEMBERED_SECONDS = 60.0
MOST_REMEMBERED = 10_000


class Users(Protocol):
    """Where accounts are looked up."""

    async def user(self, *, user_id: str = "", username: str = "") -> user_pb2.User | None:
        """The user of an id or a name; None when there is none."""


class RememberedPeople:
    """Asks for each person once in a while. Who was not found is asked for again: an account may just be made."""

    def __init__(self, users: Users, *, now: Callable[[], float] = time.monotonic, most: int = MOST_REMEMBERED) -> None:
        self._users = users
        self._now = now
        self._most = most
        self._found: dict[str, tuple[float, UUID]] = {}

    async def is_known(self, user_id: UUID) -> bool:
        return await self._look(str(user_id), user_id=str(user_id)) is not None

    async def named(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        found = {name: await self._look(f"name {name}", username=name) for name in usernames}
        return {name: user_id for name, user_id in found.items() if user_id is not None}

    async def _look(self, key: str, *, user_id: str = "", username: str = "") -> UUID | None:
        until, remembered = self._found.get(key, (0.0, None))
        if remembered is not None and self._now() < until:
            return remembered
        user = await self._users.user(user_id=user_id, username=username)
        if user is None:
            self._found.pop(key, None)
            return None
        if len(self._found) >= self._most:
            self._found.pop(next(iter(self._found)))
        self._found[key] = (self._now() + REMEMBERED_SECONDS, UUID(user.id))
        return UUID(user.id)
