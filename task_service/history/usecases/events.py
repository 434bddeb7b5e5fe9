"""Pages and a stream of the event log."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

from chassis.kernel.errors import Unavailable
from chassis.kernel.identity import Caller
from chassis.kernel.pagination import Page, PageRequest
from task_service.access import sees_all
from task_service.history.domain.event_log import EventQuery, LoggedEvent, LogPosition
from task_service.history.usecases.ports import HistoryReadSession

POLL_SECONDS = 1.0
"""Poll interval of a stream. LISTEN/NOTIFY is not an option: every commit with a NOTIFY takes one cluster-wide lock."""

BATCH_SIZE = 200


@dataclass(frozen=True, slots=True)
class ListEvents:
    """List a page of the event log."""

    read: Callable[[], HistoryReadSession]

    async def __call__(self, query: EventQuery, request: PageRequest) -> Page[LoggedEvent]:
        async with self.read() as session:
            return await session.event_log.page(query, request)


@dataclass(frozen=True, slots=True)
class WatchEvents:
    """Stream committed events without end. Raises Unavailable when the server drains; the client then reconnects."""

    read: Callable[[], HistoryReadSession]
    sleep: Callable[[float], Awaitable[None]]
    is_draining: Callable[[], bool]

    async def __call__(
        self, caller: Caller, query: EventQuery, after: LogPosition | None
    ) -> AsyncIterator[tuple[LoggedEvent | None, LogPosition]]:
        """Yield the start position without an event, then each event with the position after it.

        A caller who may not see all tasks gets the events of tasks that they owned or were assigned to then.
        """
        query = query if sees_all(caller) else replace(query, visible_to=caller.id)
        if after is None:
            async with self.read() as session:
                after = LogPosition.before_transaction(await session.event_log.horizon())
        yield None, after
        while not self.is_draining():
            async with self.read() as session:
                horizon = await session.event_log.horizon()
                events = await session.event_log.list_after(query, after, horizon, BATCH_SIZE)
            for logged in events:
                yield logged, logged.position
            if len(events) == BATCH_SIZE:
                after = events[-1].position
            else:
                # All events below the horizon are read now, including those that this caller may not see.
                after = max(after, LogPosition.before_transaction(horizon))
                await self.sleep(POLL_SECONDS)
        raise Unavailable
