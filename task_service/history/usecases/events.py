"""Pages and a stream of the event log."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

from chassis.kernel.errors import Unavailable
from chassis.kernel.identity import Caller
from chassis.kernel.pagination import InvalidPageToken, Page, PageRequest
from task_service.access import sees_all
from task_service.history.domain.event_log import Cursor, EventQuery, LoggedEvent, LogPosition
from task_service.history.usecases.ports import HistoryReadSession

POLL_SECONDS = 1.0
"""Poll interval of a stream. LISTEN/NOTIFY is not an option: every commit with a NOTIFY takes one cluster-wide lock."""

CURSOR_INTERVAL_POLLS = 15
"""Polls without an event that the caller may see, after which a stream sends its cursor alone."""

BATCH_SIZE = 200

MAX_SCANNED = 10_000
"""Events that one page of a list or one step of a stream reads. A filter may match none of them."""


@dataclass(frozen=True, slots=True)
class ListEvents:
    """List events of all tasks. A page can have fewer events than requested, or none, and still a next page."""

    read: Callable[[], HistoryReadSession]

    async def __call__(self, query: EventQuery, request: PageRequest) -> Page[LoggedEvent]:
        """Return a page of the events below the horizon. Raises InvalidPageToken, CursorExpired."""
        async with self.read() as session:
            epoch = await session.event_log.epoch()
            try:
                after = Cursor.from_bytes(request.after).position_in(epoch) if request.after else None
            except ValueError:
                raise InvalidPageToken from None
            scan = await session.event_log.scan(
                query, after, await session.event_log.horizon(), limit=request.size + 1, max_scanned=MAX_SCANNED
            )
        end = Cursor(epoch, scan.end).to_bytes() if scan.end else b""
        return request.page(scan.events, lambda logged: Cursor(epoch, logged.position).to_bytes(), searched_to=end)


@dataclass(frozen=True, slots=True)
class WatchEvents:
    """Stream committed events without end. Raises Unavailable when the server drains; the client then reconnects."""

    read: Callable[[], HistoryReadSession]
    sleep: Callable[[float], Awaitable[None]]
    is_draining: Callable[[], bool]

    async def __call__(
        self, caller: Caller, query: EventQuery, start: Cursor | LogPosition | None
    ) -> AsyncIterator[tuple[LoggedEvent | None, Cursor]]:
        """Yield the start position without an event, then each event with the position after it.

        `start` is a client's cursor, a position in the log as it is now, or None for the next event. A caller who may
        not see all tasks gets events of tasks that they owned or were assigned at that time. A position without an
        event tells the client how far the log was read. Raises CursorExpired.
        """
        query = query if sees_all(caller) else replace(query, visible_to=caller.id)
        async with self.read() as session:
            epoch = await session.event_log.epoch()
            if start is None:
                start = LogPosition.before_transaction(await session.event_log.horizon())
        after = sent = start.position_in(epoch) if isinstance(start, Cursor) else start
        yield None, Cursor(epoch, after)
        polls = 0
        while not self.is_draining():
            async with self.read() as session:
                horizon = await session.event_log.horizon()
                scan = await session.event_log.scan(query, after, horizon, limit=BATCH_SIZE, max_scanned=MAX_SCANNED)
            for logged in scan.events:
                yield logged, Cursor(epoch, logged.position)
                sent, polls = logged.position, 0
            # Without an end, all events below the horizon were read, including those that this caller may not see.
            after = scan.end or max(after, LogPosition.before_transaction(horizon))
            polls += 1
            if after > sent and (scan.end or polls >= CURSOR_INTERVAL_POLLS):
                yield None, Cursor(epoch, after)
                sent, polls = after, 0
            if scan.end is None:
                await self.sleep(POLL_SECONDS)
        raise Unavailable
