"""Who has an account, remembered for a while: an import names the same few people in every batch."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from taskmanager.auth.v1 import user_pb2

REMEMBERED_SECONDS = 60.0
MOST_REMEMBERED = 10_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class Users(Protocol):
    """Where accounts are looked up."""

    async def user(self, *, user_id: str = "", username: str = "") -> user_pb2.User | None:
        """The user of an id or a name; None when there is none."""


class NamedUsers(Users, Protocol):
    """Where accounts are also looked up many at a time."""

    async def names(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """The usernames of those who have an account."""


class _Remembered(Generic[Key, Value]):
    """What was found, the latest so many of it, each for a while."""

    def __init__(self, now: Callable[[], float], most: int) -> None:
        self._now = now
        self._most = most
        self._found: dict[Key, tuple[float, Value]] = {}

    def get(self, key: Key) -> Value | None:
        until, value = self._found.get(key, (0.0, None))
        return value if self._now() < until else None

    def put(self, key: Key, value: Value) -> None:
        if key not in self._found and len(self._found) >= self._most:
            self._found.pop(next(iter(self._found)))
        self._found[key] = (self._now() + REMEMBERED_SECONDS, value)


class RememberedPeople:
    """Asks for each person once in a while. Who was not found is asked for again: an account may just be made."""

    def __init__(
        self, users: NamedUsers, *, now: Callable[[], float] = time.monotonic, most: int = MOST_REMEMBERED
    ) -> None:
        self._users = users
        self._found = _Remembered[str, UUID](now, most)
        self._names = _Remembered[UUID, str](now, most)

    async def is_known(self, user_id: UUID) -> bool:
        return await self._look(str(user_id), user_id=str(user_id)) is not None

    async def named(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        found = {name: await self._look(f"name {name}", username=name) for name in usernames}
        return {name: user_id for name, user_id in found.items() if user_id is not None}

    async def called(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        known = {user_id: name for user_id in user_ids if (name := self._names.get(user_id)) is not None}
        if unknown := [user_id for user_id in user_ids if user_id not in known]:
            for user_id, name in (await self._users.names(unknown)).items():
                self._names.put(user_id, name)
                known[user_id] = name
        return known

    async def _look(self, key: str, *, user_id: str = "", username: str = "") -> UUID | None:
        remembered = self._found.get(key)
        if remembered is not None:
            return remembered
        user = await self._users.user(user_id=user_id, username=username)
        if user is None:
            return None
        self._found.put(key, UUID(user.id))
        return UUID(user.id)
