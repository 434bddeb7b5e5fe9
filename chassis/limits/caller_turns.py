"""Turns of the event loop, shared fairly between callers."""

import asyncio
from collections import deque
from collections.abc import Hashable

STEP_SECONDS = 0.001
"""Time between two steps of one caller while several of its streams wait. It is the resolution of uvloop's timers."""


class CallerTurns:
    """At most one step of each caller in each turn of the event loop, and one in a millisecond if several wait.

    All tasks that are ready run in one turn, and a call needs about a dozen turns. A caller with many busy streams
    would make each turn long, and so every call of all others; and together they would use all of a core. A single
    stream goes on as fast as it can. Nothing is held between two steps, so a stream whose client reads slowly delays no
    other one.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    async def next(self, key: Hashable) -> None:
        """Wait for the next turn of this key."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        turns = self._waiting.get(key)
        if turns is None:
            turns = self._waiting[key] = deque()
            loop.call_soon(self._grant, loop, key)
        turns.append(turn)
        await turn

    def _grant(self, loop: asyncio.AbstractEventLoop, key: Hashable) -> None:
        turns = self._waiting[key]
        while turns:
            turn = turns.popleft()
            if not turn.cancelled():
                turn.set_result(None)
                break
        if turns:
            loop.call_later(STEP_SECONDS, self._grant, loop, key)
        else:
            del self._waiting[key]
