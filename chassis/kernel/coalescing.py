"""Coalescing: concurrent calls wait shortly for each other, so that each of their steps runs for all of them in a row.

A step that runs for eight calls in a row costs a third less than between others: its code is still in the processor's
caches, and the event loop wakes up once (docs/adr/0017-coalescing.md).
"""

import asyncio
from time import perf_counter

QUIET_TURNS = 12
"""Turns of the event loop without a new arrival, after which nobody else is expected. An idle loop turns in 3 us."""

MAX_SECONDS = 0.002
"""Time after which a wait ends with the next turn, for a loop whose turns are long."""

_points_in_use: "set[CoalescingPoint]" = set()


def is_call_waiting() -> bool:
    """Return whether a call of this process waits at a point."""
    return bool(_points_in_use)


class CoalescingPoint:
    """Point at which calls wait until no other one has arrived for some turns of the event loop, and go on together."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []
        self._quiet_turns = 0
        self._ends_at = 0.0

    def wait(self) -> "asyncio.Future[None]":
        """Return a future that is done when the calls here go on."""
        loop = asyncio.get_running_loop()
        arrival = loop.create_future()
        if not self._waiting:
            self._ends_at = perf_counter() + MAX_SECONDS
            _points_in_use.add(self)
            loop.call_soon(self._take_turn, loop)
        self._waiting.append(arrival)
        self._quiet_turns = 0
        return arrival

    def _take_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._quiet_turns += 1
        if self._quiet_turns <= QUIET_TURNS and perf_counter() < self._ends_at:
            loop.call_soon(self._take_turn, loop)
            return
        _points_in_use.discard(self)
        waiting, self._waiting = self._waiting, []
        for arrival in waiting:
            if not arrival.done():  # a call that was cancelled is still here
                arrival.set_result(None)
