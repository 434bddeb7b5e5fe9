"""Reading history."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from uuid import UUID

from chassis.kernel.errors import Unavailable
from chassis.kernel.identity import Caller
from chassis.kernel.pagination import Page, PageRequest
from task_service.access import sees_all
from task_service.history.domain.event_log import EventQuery, Logged, Place
from task_service.history.domain.events import TaskEvent
from task_service.idempotency.transaction import visible
from task_service.tasks.usecases.ports import Reading

LOOK_SECONDS = 1.0
"""How often a watcher looks. Notifications would make every commit of a change take one lock of the whole cluster."""

AT_A_TIME = 200


@dataclass(frozen=True, slots=True)
class ListTaskEvents:
    read: Callable[[], Reading]

    async def __call__(self, caller: Caller, task_id: UUID, request: PageRequest) -> Page[TaskEvent]:
        async with self.read() as data:
            visible(await data.tasks.get(task_id), caller)
            return await data.history.of_task(task_id, request)


@dataclass(frozen=True, slots=True)
class ListEvents:
    read: Callable[[], Reading]

    async def __call__(self, query: EventQuery, request: PageRequest) -> Page[Logged]:
        async with self.read() as data:
            return await data.event_log.page(query, request)


@dataclass(frozen=True, slots=True)
class WatchEvents:
    """Events as they are committed. Unavailable when this process is about to stop: another one goes on."""

    read: Callable[[], Reading]
    pause: Callable[[float], Awaitable[None]]
    draining: Callable[[], bool]

    async def __call__(
        self, caller: Caller, query: EventQuery, after: Place | None
    ) -> AsyncIterator[tuple[Logged | None, Place]]:
        """Each event with the place behind it, and before them all the place where the stream begins."""
        query = query if sees_all(caller) else replace(query, seen_by=caller.id)
        if after is None:
            async with self.read() as data:
                after = _before(await data.event_log.horizon())
        yield None, after
        while not self.draining():
            async with self.read() as data:
                horizon = await data.event_log.horizon()
                found = await data.event_log.following(query, after, horizon, AT_A_TIME)
            for logged in found:
                yield logged, logged.place
            if len(found) == AT_A_TIME:
                after = found[-1].place
            else:
                # Whatever lies below the horizon has been looked at, whether this caller may see it or not.
                after = max(after, _before(horizon))
                await self.pause(LOOK_SECONDS)
        raise Unavailable


def _before(transaction: int) -> Place:
    """The place before all that a transaction wrote."""
    return Place(transaction, UUID(int=0))
