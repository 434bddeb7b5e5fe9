"""Recording and listing security events."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from auth_service.domain.security_events import SecurityEvent, SecurityEventKind
from auth_service.usecases.ports import AuthUnitOfWork, Read
from chassis.kernel.clock import Clock
from chassis.kernel.ids import NewId
from chassis.kernel.pagination import Page, PageRequest


@dataclass(frozen=True, slots=True)
class SecurityEventRecorder:
    """Writer of security events. An event is part of the transaction that it describes."""

    now: Clock
    new_id: NewId
    request_id: Callable[[], str]

    async def record(
        self, work: AuthUnitOfWork, kind: SecurityEventKind, *, actor: UUID | None, subject: UUID | None, **details: str
    ) -> None:
        """Append an event: the account `actor` did this to the account `subject`."""
        event = SecurityEvent(self.new_id(), self.now(), kind, actor, subject, self.request_id(), details)
        await work.security_events.add(event)


@dataclass(frozen=True, slots=True)
class ListSecurityEvents:
    """List security events for admins."""

    read: Read

    async def __call__(self, subject_id: UUID | None, request: PageRequest) -> Page[SecurityEvent]:
        """Return the events of one account, or of all, newest first."""
        async with self.read() as repositories:
            return await repositories.security_events.list_page(subject_id, request)
