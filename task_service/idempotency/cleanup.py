"""Cleanup of expired idempotency records."""

from collections.abc import Callable
from dataclasses import dataclass

from chassis.kernel.clock import Clock
from task_service.idempotency.records import IdempotentUnitOfWork

BATCH_SIZE = 1000
"""Maximum number of records per transaction, so that deleting a day of them blocks no other transaction."""


@dataclass(frozen=True, slots=True)
class DeleteExpiredIdempotencyRecords:
    """Delete the idempotency records that have expired."""

    begin: Callable[[], IdempotentUnitOfWork]
    now: Clock

    async def __call__(self) -> int:
        """Return the number of deleted records."""
        total = 0
        while True:
            async with self.begin() as work:
                deleted = await work.idempotency.delete_expired(self.now(), BATCH_SIZE)
                await work.commit()
            total += deleted
            if deleted < BATCH_SIZE:
                return total
