"""Fake of the port UserDirectory of task_service."""

from collections.abc import Collection, Mapping
from uuid import UUID

from chassis.kernel.errors import Unavailable


class FakeUserDirectory:
    """User directory without users, in which every owner is active. Lookups can be unavailable."""

    def __init__(self, *, is_available: bool = True) -> None:
        self._is_available = is_available

    async def is_active(self, _: UUID) -> bool:
        return True

    async def exists(self, _: UUID) -> bool:
        self._check_available()
        return False

    async def ids_by_username(self, _: Collection[str]) -> Mapping[str, UUID]:
        self._check_available()
        return {}

    async def usernames_by_id(self, _: Collection[UUID]) -> Mapping[UUID, str]:
        self._check_available()
        return {}

    def _check_available(self) -> None:
        if not self._is_available:
            raise Unavailable
