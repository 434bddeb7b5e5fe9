"""Statements of concurrent calls of one caller, run as one statement for all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from chassis.kernel.cooperation import TURN_ITEMS

Session = TypeVar("Session")
Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_ITEMS = TURN_ITEMS
"""Maximum items of one statement: encoding them holds up the event loop."""

MAX_JOIN_SECONDS = 1.0
"""Age of a group from which no call joins it. All its calls fail when its wait for a connection has taken too long."""


class _Group(Generic[Item, Result]):
    """Calls that share a statement, and the task that runs it."""

    def __init__(self, joinable_until: float) -> None:
        self.joinable_until = joinable_until
        self.calls: list[tuple[Item, asyncio.Future[Result]]] = []
        self.task: asyncio.Task[None] | None = None

    def unanswered(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        """Return the calls that have no result and were not cancelled."""
        return [(item, result) for item, result in self.calls if not result.done()]


class GroupedStatement(Generic[Session, Item, Result]):
    """Function of one item that runs once for all items whose calls wait for a connection at the same time.

    Only calls with the same key share a statement: its connection and its errors are theirs. An error is the error of
    each of them, so it is for statements that fail only if the database does.
    """

    def __init__(
        self,
        session: Callable[[], AbstractAsyncContextManager[Session]],
        run: Callable[[Session, Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        key: Callable[[], Hashable],
    ) -> None:
        """Create the function. `run` returns a result for each item, in their order; `key` that of the current call."""
        self._session = session
        self._run = run
        self._key = key
        self._forming: dict[Hashable, _Group[Item, Result]] = {}

    async def __call__(self, item: Item) -> Result:
        """Return the result for the item. The statement ends early when all its calls are cancelled."""
        loop = asyncio.get_running_loop()
        key = self._key()
        group = self._forming.get(key)
        if group is None or len(group.calls) >= MAX_ITEMS or loop.time() >= group.joinable_until:
            group = self._forming[key] = _Group(loop.time() + MAX_JOIN_SECONDS)
            group.task = asyncio.create_task(self._run_group(key, group))
        result: asyncio.Future[Result] = loop.create_future()
        group.calls.append((item, result))
        try:
            return await result
        except asyncio.CancelledError:
            if group.task is not None and not group.unanswered():
                self._close(key, group)
                group.task.cancel()
            raise

    async def _run_group(self, key: Hashable, group: _Group[Item, Result]) -> None:
        try:
            await asyncio.sleep(0)  # calls that arrived together are here within a turn or two
            async with self._session() as session:
                self._close(key, group)
                calls = group.unanswered()
                results = await self._run(session, [item for item, _ in calls]) if calls else ()
            for (_, result), value in zip(calls, results, strict=True):
                if not result.done():
                    result.set_result(value)
        except Exception as error:  # noqa: BLE001 - the calls raise it
            for _, result in group.unanswered():
                result.set_exception(error)
        finally:
            self._close(key, group)
            for _, result in group.unanswered():  # this task was cancelled
                result.cancel()

    def _close(self, key: Hashable, group: _Group[Item, Result]) -> None:
        """Let no more calls join."""
        if self._forming.get(key) is group:
            del self._forming[key]
