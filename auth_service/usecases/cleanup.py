"""Deleting expired rows. Background loops call these use cases."""

from dataclasses import dataclass
from datetime import timedelta

from auth_service.domain.personal_tokens import RETENTION
from auth_service.domain.security_events import MIN_RETENTION
from auth_service.usecases.ports import Begin
from chassis.kernel.clock import Clock

EXPIRY_MARGIN = timedelta(minutes=1)
"""Time for which an expired row is kept: clocks differ, and a running call may still read it."""

BATCH_SIZE = 1000
"""Maximum number of rows per transaction and table, so that deleting years of events blocks no other transaction."""


@dataclass(frozen=True, slots=True)
class DeleteExpiredRecords:
    """Delete expired revocations, sessions, attempt counters and reset codes, and personal access tokens long after."""

    begin: Begin
    now: Clock

    async def __call__(self) -> int:
        """Return the number of deleted rows."""
        before = self.now() - EXPIRY_MARGIN
        total = 0
        while True:
            async with self.begin() as work:
                deleted = [
                    await records.delete_expired(before=before, limit=BATCH_SIZE)
                    for records in (work.revocations, work.sessions, work.attempt_counters, work.password_resets)
                ]
                deleted.append(await work.personal_tokens.delete_expired(before=before - RETENTION, limit=BATCH_SIZE))
                await work.commit()
            total += sum(deleted)
            if max(deleted) < BATCH_SIZE:
                return total


@dataclass(frozen=True, slots=True)
class DeleteExpiredEvents:
    """Delete security events that are older than the retention."""

    begin: Begin
    retention: timedelta
    now: Clock

    async def __call__(self) -> int:
        """Return the number of deleted events."""
        before = self.now() - max(self.retention, MIN_RETENTION)
        total = 0
        while True:
            async with self.begin() as work:
                deleted = await work.security_events.delete_expired(before=before, limit=BATCH_SIZE)
                await work.commit()
            total += deleted
            if deleted < BATCH_SIZE:
                return total
