"""Pages and a stream of the event log."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from chassis.kernel.errors import Unavailable
from chassis.kernel.identity import Caller
from chassis.kernel.pagination import InvalidPageToken, Page, PageRequest
from chassis.kernel.turns import TakeTurn
from task_service.access import sees_all
from task_service.history.domain.event_log import LOG_START, Cursor, EventQuery, LoggedEvent, LogPosition
from task_service.history.usecases.ports import HistoryReadSession

POLL_SECONDS = 1.0
"""Poll interval of a stream. LISTEN/NOTIFY is not an option: every commit with a NOTIFY takes one cluster-wide lock."""

CURSOR_INTERVAL_POLLS = 15
"""Polls without an event that the caller may see, after which a stream sends its cursor alone."""

BATCH_SIZE = 20
"""Events of one query of a stream."""

MAX_SCANNED = 10_000
"""Events that one page of a list reads, of those that the caller may see. A filter may match none of them."""


class EventPage(NamedTuple):
    """Page of the event log."""

    page: Page[LoggedEvent]
    end: Cursor
    """Position after the page."""

    def cursor_after(self, count: int) -> Cursor:
        """Return the position after the page, for a response that holds only its first events."""
        if count == len(self.page.items):
            return self.end
        return self.end._replace(position=self.page.items[count - 1].position)


@dataclass(frozen=True, slots=True)
class ListEvents:
    """List the events that the caller may see.

    A page can have fewer events than requested, or none, and still a next page.
    """

    read: Callable[[], HistoryReadSession]

    async def __call__(
        self, caller: Caller, query: EventQuery, request: PageRequest, start: Cursor | LogPosition | None
    ) -> EventPage:
        """Return a page of the events below the horizon.

        `start` is a client's cursor, a position in the log as it is now, or None for its end; a page token goes before
        it. Raises InvalidPageToken, CursorExpired.
        """
        query = _visible_to(caller, query)
        async with self.read() as session:
            epoch = await session.event_log.epoch()
            horizon = await session.event_log.horizon()
            log_end = LogPosition.before_transaction(horizon)
            try:
                after = Cursor.from_bytes(request.after).position_in(epoch) if request.after else None
            except ValueError:
                raise InvalidPageToken from None
            if after is None and not query.newest_first:
                after = _position(start, epoch, log_end)
            section = await session.event_log.scan(
                query, after, horizon, limit=request.size + 1, max_scanned=MAX_SCANNED
            )
        searched_to = Cursor(epoch, section.end).to_bytes() if section.end else b""
        page = request.page(
            section.events, lambda logged: Cursor(epoch, logged.position).to_bytes(), searched_to=searched_to
        )
        if query.newest_first:
            end = log_end
        elif len(section.events) > request.size:
            end = page.items[-1].position
        else:
            end = section.end or max(after or LOG_START, log_end)
        return EventPage(page, Cursor(epoch, end))


def _visible_to(caller: Caller, query: EventQuery) -> EventQuery:
    """Return the query for the events that the caller may see."""
    return query if sees_all(caller) else replace(query, visible_to=caller.id)


def _position(start: Cursor | LogPosition | None, epoch: int, log_end: LogPosition) -> LogPosition:
    """Return the position of a start. Raises CursorExpired."""
    if start is None:
        return log_end
    return start.position_in(epoch) if isinstance(start, Cursor) else start


@dataclass(frozen=True, slots=True)
class WatchEvents:
    """Stream committed events without end. Raises Unavailable when the server drains; the client then reconnects."""

    read: Callable[[], HistoryReadSession]
    sleep: Callable[[float], Awaitable[None]]
    take_turn: TakeTurn
    is_draining: Callable[[], bool]

    async def __call__(
        self, caller: Caller, query: EventQuery, start: Cursor | LogPosition | None
    ) -> AsyncIterator[tuple[LoggedEvent | None, Cursor]]:
        """Yield the start position without an event, then each event with the position after it.

        `start` is a client's cursor, a position in the log as it is now, or None for the next event. A position without
        an event tells the client how far the log was read. Raises CursorExpired.
        """
        query = _visible_to(caller, query)
        async with self.read() as session:
            epoch = await session.event_log.epoch()
            log_end = LogPosition.before_transaction(await session.event_log.horizon())
        after = sent = _position(start, epoch, log_end)
        yield None, Cursor(epoch, after)
        polls = 0
        while not self.is_draining():
            await self.take_turn(caller.id)
            async with self.read() as session:
                horizon = await session.event_log.horizon()
                section = await session.event_log.scan(query, after, horizon, limit=BATCH_SIZE, max_scanned=MAX_SCANNED)
            for index in range(len(section.events)):
                await self.take_turn(caller.id)
                logged = section.events[index]
                yield logged, Cursor(epoch, logged.position)
                sent, polls = logged.position, 0
            # Without an end, all events below the horizon were read, including those that this caller may not see.
            after = section.end or max(after, LogPosition.before_transaction(horizon))
            polls += 1
            if after > sent and polls >= CURSOR_INTERVAL_POLLS:
                yield None, Cursor(epoch, after)
                sent, polls = after, 0
            if section.end is None:
                await self.sleep(POLL_SECONDS)
        raise Unavailable
