"""Cached look-ups of users in auth_service: an import names the same few users in every batch."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol
from uuid import UUID

import structlog
from cachetools import LRUCache, TTLCache
from grpc.aio import AioRpcError
from taskmanager.auth.v1 import user_pb2

from chassis.kernel.errors import Unavailable
from chassis.logs import describe_error

FOUND_TTL_SECONDS = 60.0
UNKNOWN_TTL_SECONDS = 3.0
"""Lifetime of an unknown username or email, which is short because the account may be about to be created."""
ACTIVE_TTL_SECONDS = 3.0
"""Lifetime of `is_active`, which is short because an import must end soon after its owner's account."""
ACTIVE_TIMEOUT_SECONDS = 1.0
MAX_CACHE_ENTRIES = 10_000
MAX_IDENTIFIERS_PER_CALL = 1000
"""Limit of auth_service, for usernames and for emails."""
MAX_IDENTIFIER_CHARACTERS = 512
"""A longer text is the username or email of no account. It is not looked up, so that it does not fill the cache."""

log = structlog.get_logger("user_directory")


class UserLookup(Protocol):
    """Look-ups of users in auth_service. All raise Unavailable in an outage."""

    async def find_user(self, user_id: str) -> user_pb2.User | None:
        """Return the active user with this id, None for an unknown or disabled one."""

    async def usernames_by_id(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """Return the usernames of at most 1,000 users. Unknown ids are left out."""

    async def ids_by_username(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        """Return the ids of at most 1,000 active users. Unknown names are left out."""

    async def ids_by_email(self, emails: Collection[str]) -> Mapping[str, UUID]:
        """Return the ids of at most 1,000 active users. Unknown emails are left out."""


class _IdCache:
    """Cache of the ids of users by one kind of identifier, and of identifiers without a user."""

    def __init__(self, max_entries: int, now: Callable[[], float]) -> None:
        self._ids: TTLCache[str, UUID] = TTLCache(max_entries, FOUND_TTL_SECONDS, now)
        self._unknown: TTLCache[str, bool] = TTLCache(max_entries, UNKNOWN_TTL_SECONDS, now)

    async def find(
        self, identifiers: Collection[str], look_up: Callable[[Collection[str]], Awaitable[Mapping[str, UUID]]]
    ) -> Mapping[str, UUID]:
        """Return the ids of users. Identifiers that are not cached are looked up."""
        found = {text: user_id for text in identifiers if (user_id := self._ids.get(text)) is not None}
        missing = [
            text
            for text in identifiers
            if text not in found and text not in self._unknown and len(text) <= MAX_IDENTIFIER_CHARACTERS
        ]
        for start in range(0, len(missing), MAX_IDENTIFIERS_PER_CALL):
            chunk = missing[start : start + MAX_IDENTIFIERS_PER_CALL]
            ids = await look_up(chunk)
            self._ids.update(ids)
            self._unknown.update((text, True) for text in chunk if text not in ids)
            found |= ids
        return found


class CachedUserDirectory:
    """User directory with TTL caches of at most `max_entries` entries each."""

    def __init__(
        self,
        users: UserLookup,
        *,
        now: Callable[[], float] = time.monotonic,
        active_timeout_seconds: float = ACTIVE_TIMEOUT_SECONDS,
        max_entries: int = MAX_CACHE_ENTRIES,
    ) -> None:
        self._users = users
        self._active_timeout_seconds = active_timeout_seconds
        self._existing: TTLCache[UUID, bool] = TTLCache(max_entries, FOUND_TTL_SECONDS, now)
        self._ids_by_username = _IdCache(max_entries, now)
        self._ids_by_email = _IdCache(max_entries, now)
        self._usernames: TTLCache[UUID, str] = TTLCache(max_entries, FOUND_TTL_SECONDS, now)
        self._active: TTLCache[UUID, bool] = TTLCache(max_entries, ACTIVE_TTL_SECONDS, now)
        self._last_active: LRUCache[UUID, bool] = LRUCache(max_entries)

    async def exists(self, user_id: UUID) -> bool:
        """Return whether an active user has this id. Raises Unavailable."""
        if user_id in self._existing:
            return True
        # An unknown id is not cached: the account may be about to be created.
        if await self._users.find_user(str(user_id)) is None:
            return False
        self._existing[user_id] = True
        return True

    async def is_active(self, user_id: UUID) -> bool:
        """Return whether the user can log in. The result can be a few seconds old.

        Never raises: an import must not end, nor wait for long, because of an outage of auth_service. In an outage the
        last known result holds, and a user without one counts as active.
        """
        active = self._active.get(user_id)
        if active is None:
            active = await self._look_up_active(user_id)
            self._active[user_id] = self._last_active[user_id] = active
        return active

    async def _look_up_active(self, user_id: UUID) -> bool:
        try:
            async with asyncio.timeout(self._active_timeout_seconds):
                return await self._users.find_user(str(user_id)) is not None
        except (Unavailable, TimeoutError, AioRpcError) as error:
            log.warning("can't look up the owner of an import", error=type(error).__name__, cause=describe_error(error))
            return self._last_active.get(user_id, True)

    async def ids_by_username(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        """Return the ids of active users by the requested names. Unknown names are left out. Raises Unavailable."""
        return await self._ids_by_username.find(usernames, self._users.ids_by_username)

    async def ids_by_email(self, emails: Collection[str]) -> Mapping[str, UUID]:
        """Return the ids of active users by the requested emails. Unknown emails are left out. Raises Unavailable."""
        return await self._ids_by_email.find(emails, self._users.ids_by_email)

    async def usernames_by_id(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """Return the usernames of at most 1,000 users. Users without an account are left out. Raises Unavailable."""
        found = {user_id: name for user_id in user_ids if (name := self._usernames.get(user_id)) is not None}
        if missing := [user_id for user_id in user_ids if user_id not in found]:
            usernames = await self._users.usernames_by_id(missing)
            self._usernames.update(usernames)
            found |= usernames
        return found
