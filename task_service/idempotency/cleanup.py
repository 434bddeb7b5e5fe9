"""Cleanup of expired idempotency records."""

from collections.abc import Callable
from dataclasses import dataclass

from chassis.kernel.clock import Clock
from task_service.idempotency.records import IdempotentUnitOfWork


@dataclass(frozen=True, slots=True)
class DeleteExpiredIdempotencyRecords:
    """Delete the idempotency records that have expired."""

    begin: Callable[[], IdempotentUnitOfWork]
    now: Clock

    async def __call__(self) -> int:
        """Return the number of deleted records."""
        async with self.begin() as work:
            deleted = await work.idempotency.delete_expired(self.now())
            await work.commit()
        return deleted
