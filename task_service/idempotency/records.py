"""Ports of idempotency: the repository of stored responses, and the unit of work that stores them."""

from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self
from uuid import UUID

from task_service.idempotency.key import IdempotencyKey

RETENTION = timedelta(hours=24)
"""Lifetime of a stored response."""


class StoredResponse(NamedTuple):
    """Response that was stored under a key: JSON that its use case can decode."""

    body: Any


class IdempotencyRecords(Protocol):
    """Repository of stored responses by caller and key. A record older than RETENTION counts as absent."""

    async def claim(self, caller_id: UUID, key: IdempotencyKey, now: datetime) -> bool:
        """Reserve the key in this transaction. Wait for a concurrent request; return False if it used the key."""

    async def exists(self, caller_id: UUID, key: str, now: datetime) -> bool:
        """Return whether a response is stored under the key, for any request."""

    async def find(self, caller_id: UUID, key: IdempotencyKey, now: datetime) -> StoredResponse | None:
        """Return the stored response. Raises IdempotencyKeyReused if the key was used with another request."""

    async def store(self, caller_id: UUID, key: IdempotencyKey, body: Any) -> None:
        """Store the response under a claimed key."""

    async def delete_expired(self, now: datetime) -> int:
        """Delete the expired records and return their number."""


class IdempotencyReadSession(Protocol):
    """Connection for reads."""

    @property
    def idempotency(self) -> IdempotencyRecords: ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class IdempotentUnitOfWork(IdempotencyReadSession, Protocol):
    """Transaction. Leaving it without `commit` rolls it back."""

    async def commit(self) -> None: ...
