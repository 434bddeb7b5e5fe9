"""Ports of idempotency: the repository of stored responses, and the unit of work that stores them."""

from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from chassis.kernel.sessions import ReadSession, UnitOfWork
from task_service.idempotency.key import IdempotencyKey

RETENTION = timedelta(hours=24)
"""Lifetime of a stored response."""


class IdempotencyRecords(Protocol):
    """Repository of stored responses by caller and key. A record older than RETENTION counts as absent."""

    async def claim(self, caller_id: UUID, key: IdempotencyKey, now: datetime) -> bool:
        """Reserve the key in this transaction. Wait for a concurrent request; return False if it used the key."""

    async def exists(self, caller_id: UUID, key: str, now: datetime) -> bool:
        """Return whether a response is stored under the key, for any request."""

    async def find(self, caller_id: UUID, key: IdempotencyKey, now: datetime) -> Any | None:
        """Return the stored response as JSON; None if there is none.

        Raises IdempotencyKeyReused if the key was used with another request.
        """

    async def store(self, caller_id: UUID, key: IdempotencyKey, body: Any) -> None:
        """Store the response under a claimed key."""

    async def delete_expired(self, now: datetime, limit: int) -> int:
        """Delete up to `limit` expired records and return their number."""


class IdempotencyReadSession(ReadSession, Protocol):
    """Session that can look up stored responses."""

    @property
    def idempotency(self) -> IdempotencyRecords: ...


class IdempotentUnitOfWork(IdempotencyReadSession, UnitOfWork, Protocol):
    """Transaction that can store a response."""
