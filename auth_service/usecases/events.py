"""Writing down what happened, in the transaction in which it happens, and reading it."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from auth_service.domain.events import EventKind, SecurityEvent
from auth_service.usecases.ports import Read, UnitOfWork
from chassis.kernel.clock import Clock
from chassis.kernel.ids import NewId
from chassis.kernel.pagination import Page
from chassis.kernel.pagination import PageRequest


@dataclass(frozen=True, slots=True)
class EventLog:
    """Makes entries of the security log."""

    now: Clock
    new_id: NewId
    request_id: Callable[[], str]

    async def record(
        self, work: UnitOfWork, kind: EventKind, *, actor: UUID | None, subject: UUID | None, **details: str
    ) -> None:
        """Appends an entry; it lasts if the work is committed."""
        event = SecurityEvent(self.new_id(), self.now(), kind, actor, subject, self.request_id(), details)
        await work.events.add(event)


@dataclass(frozen=True, slots=True)
class ListSecurityEvents:
    """Shows admins what happened."""

    read: Read

    async def __call__(self, subject_id: UUID | None, request: PageRequest) -> Page[SecurityEvent]:
        """Events, of one account or all, newest first."""
        async with self.read() as reading:
            return await reading.events.page(subject_id, request)
