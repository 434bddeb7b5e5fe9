"""Limits for calls whose request message has not arrived.

A call starts with its headers. A client that sends no message, or half of one, would occupy memory and a slot for ever.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from chassis.kernel.errors import DomainError
from chassis.limits.load_shed import SHED_CALLS

REQUEST_TIMEOUT_SECONDS = 10.0
"""Maximum time between the headers of a unary call and the end of its request message."""

PENDING = "pending"
"""Kind of these refusals in the metric of load shedding."""

Result = TypeVar("Result")


class RequestTimeout(DomainError):
    """The request message did not arrive within {seconds:g} seconds. Send it completely, right after the headers."""


class TooManyPendingRequests(DomainError):
    """Too many calls wait for their request message, and this one was the oldest. Try again shortly."""

    retry_after_seconds = 1.0


class PendingRequests:
    """The calls that wait for their request message, oldest first.

    Each waits for at most `timeout_seconds`. If there are more than `max_pending`, the oldest is refused. The message
    of a well-behaved client follows its headers within milliseconds, so held calls make room for it.
    """

    def __init__(self, *, timeout_seconds: float, max_pending: int) -> None:
        self._timeout_seconds = timeout_seconds
        self._max_pending = max_pending
        self._started: dict[asyncio.Task[object], float] = {}
        self._refusals: dict[asyncio.Task[object], DomainError] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def wait_for(self, request: Awaitable[Result]) -> Result:
        """Await the request message of the current task.

        Raises RequestTimeout or TooManyPendingRequests.
        """
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is None:
            raise RuntimeError("a call runs in a task")
        if len(self._started) >= self._max_pending:
            self._refuse_oldest(TooManyPendingRequests())
        self._started[task] = loop.time()
        if self._timer is None:  # one timer for all calls, because a timer for each costs more
            self._timer = loop.call_later(self._timeout_seconds, self._refuse_expired)
        try:
            return await request
        except asyncio.CancelledError:
            refusal = self._refusals.get(task)
            if refusal is None:
                raise
            task.uncancel()
            raise refusal from None
        finally:
            self._started.pop(task, None)
            self._refusals.pop(task, None)

    def _refuse_expired(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._started:
            expires_at = next(iter(self._started.values())) + self._timeout_seconds
            if expires_at > loop.time():
                self._timer = loop.call_at(expires_at, self._refuse_expired)
                return
            self._refuse_oldest(RequestTimeout(seconds=self._timeout_seconds))

    def _refuse_oldest(self, refusal: DomainError) -> None:
        task = next(iter(self._started))
        del self._started[task]
        SHED_CALLS.labels(PENDING).inc()
        self._refusals[task] = refusal
        task.cancel()
