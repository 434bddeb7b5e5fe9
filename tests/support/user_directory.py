"""Fake of the port UserDirectory of task_service."""

from collections.abc import Collection, Mapping
from uuid import UUID

from chassis.kernel.errors import Unavailable


class FakeUserDirectory:
    """User directory in memory. `users` are the active users by name; `is_available` is False in an outage.

    The email of sonu is sonu@example.com.
    """

    def __init__(self, users: Mapping[str, UUID] | None = None, *, is_available: bool = True) -> None:
        self.users = dict(users or {})
        self.is_available = is_available

    async def exists(self, user_id: UUID) -> bool:
        self._check_available()
        return user_id in self.users.values()

    async def is_active(self, _: UUID) -> bool:
        """Return True. The owners of imports never lose their accounts."""
        self._check_available()
        return True

    async def ids_by_username(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        self._check_available()
        return {name: user_id for name, user_id in self.users.items() if name in usernames}

    async def ids_by_email(self, emails: Collection[str]) -> Mapping[str, UUID]:
        self._check_available()
        users = {f"{name}@example.com": user_id for name, user_id in self.users.items()}
        return {email: user_id for email, user_id in users.items() if email in emails}

    async def usernames_by_id(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        self._check_available()
        return {user_id: name for name, user_id in self.users.items() if user_id in user_ids}

    def _check_available(self) -> None:
        if not self.is_available:
            raise Unavailable
