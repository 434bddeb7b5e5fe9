"""Turns of the event loop, shared fairly between callers."""

import asyncio
from collections import deque
from collections.abc import Hashable


class CallerTurns:
    """At most one step of each caller in each turn of the event loop.

    All tasks that are ready run in one turn, and a call needs about a dozen turns. A caller with many busy streams
    would make each turn long, and so every call of all others. With one step in a turn its streams wait for each other
    instead. Nothing is held between two steps, so a stream whose client reads slowly delays no other one.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    async def next(self, key: Hashable) -> None:
        """Wait for the next turn in which no other step of this key runs."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._grant, loop)
        self._waiting.setdefault(key, deque()).append(turn)
        await turn

    def _grant(self, loop: asyncio.AbstractEventLoop) -> None:
        for key, turns in [*self._waiting.items()]:
            while turns:
                turn = turns.popleft()
                if not turn.cancelled():
                    turn.set_result(None)
                    break
            if not turns:
                del self._waiting[key]
        if self._waiting:
            loop.call_soon(self._grant, loop)
