"""Limits for calls whose request message has not arrived.

A call starts with its headers. A client that sends no message, or half of one, would occupy memory and a slot for ever.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from chassis.kernel.errors import DomainError
from chassis.limits.expiry_queue import ExpiryQueue
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
        self._waiting = ExpiryQueue[asyncio.Task[object]](
            timeout_seconds=timeout_seconds, on_expired=self._refuse_expired
        )
        self._refusals: dict[asyncio.Task[object], DomainError] = {}

    async def wait_for(self, request: Awaitable[Result]) -> Result:
        """Await the request message of the current task.

        Raises RequestTimeout or TooManyPendingRequests.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call runs in a task")
        if len(self._waiting) >= self._max_pending:
            self._refuse(self._waiting.pop_oldest(), TooManyPendingRequests())
        self._waiting.add(task)
        try:
            return await request
        except asyncio.CancelledError:
            refusal = self._refusals.get(task)
            if refusal is None:
                raise
            task.uncancel()
            raise refusal from None
        finally:
            self._waiting.remove(task)
            self._refusals.pop(task, None)

    def _refuse_expired(self, task: "asyncio.Task[object]") -> None:
        self._refuse(task, RequestTimeout(seconds=self._timeout_seconds))

    def _refuse(self, task: "asyncio.Task[object]", refusal: DomainError) -> None:
        SHED_CALLS.labels(PENDING).inc()
        self._refusals[task] = refusal
        task.cancel()
