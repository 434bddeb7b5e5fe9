"""Ports of the history use cases."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from chassis.kernel.pagination import Page, PageRequest
from chassis.kernel.sessions import ReadSession, UnitOfWork
from task_service.history.domain.event_log import EventQuery, LogPosition, LogSection
from task_service.history.domain.events import TaskEvent
from task_service.history.domain.hash_chain import Block, ChainHead, StoredEvent


class EventRecorder(Protocol):
    """Writer of events. Other contexts use it in their own transactions. The events are inserted by the commit."""

    async def record(self, event: TaskEvent) -> None:
        """Record an event for the commit."""

    async def record_all(self, events: Sequence[TaskEvent]) -> None:
        """Record many events for the commit."""


class TaskEvents(EventRecorder, Protocol):
    """Events of tasks. Events are only added."""

    async def list_for_task(self, task_id: UUID, request: PageRequest) -> Page[TaskEvent]:
        """Return a page of one task's events in the order of its revisions."""


class EventLog(Protocol):
    """Events of all tasks in commit order."""

    async def epoch(self) -> int:
        """Return the log's epoch, which a restore from a backup changes. Cursors are valid for one epoch."""

    async def horizon(self) -> int:
        """Return the number of a transaction: no event of a lower number can appear any more."""

    async def scan(
        self, query: EventQuery, after: LogPosition | None, horizon: int, *, limit: int, max_scanned: int
    ) -> LogSection:
        """Return at most `limit` matching events after a position, of transactions below `horizon`.

        At most `max_scanned` events are read, so that a rare match costs no caller a scan of the whole log.
        """


class Blocks(Protocol):
    """Hash chain over the event log, and the events as they are stored now."""

    async def try_lock(self) -> bool:
        """Acquire the lock for appending until the transaction ends. Return False if another process has it."""

    async def head(self) -> ChainHead:
        """Return the chain's head."""

    async def append(self, head: ChainHead, horizon: int, limit: int) -> int:
        """Append a block of the next events below the horizon; return their number. No events: no block."""

    async def list_after(self, number: int, limit: int) -> list[Block]:
        """Return the blocks after a number, in order."""

    async def stored_events_after(self, position: LogPosition, limit: int, digest_version: int) -> list[StoredEvent]:
        """Return the events after a position in log order, sealed or not."""

    async def count_events_after(self, position: LogPosition) -> int:
        """Return the number of events after a position."""

    async def event_exists(self, event_id: UUID) -> bool:
        """Return whether the log has the event. Reads the whole log."""


class HistoryReadSession(ReadSession, Protocol):
    """Repositories for reads."""

    @property
    def events(self) -> TaskEvents: ...
    @property
    def event_log(self) -> EventLog: ...
    @property
    def blocks(self) -> Blocks: ...


class HistoryUnitOfWork(HistoryReadSession, UnitOfWork, Protocol):
    """Repositories in one transaction."""
