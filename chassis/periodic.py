"""Periodic background work that survives outages, and metrics that show a loop that stands still."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar

import psycopg
import structlog

from chassis.kernel.errors import ReadOnly, Unavailable
from chassis.logs import cause_of, describe_error
from chassis.metrics import LOOP_FAILURES, LOOP_INTERVAL, LOOP_SUCCEEDED

current_loop: ContextVar["LoopMonitor | None"] = ContextVar("current_loop", default=None)
"""The background loop that runs in this task."""

MAX_RETRY_SECONDS = 2.0
"""Maximum pause between two failed runs, and so the delay of background work after an outage. The first is 1 second."""

log = structlog.get_logger("periodic")


class LoopMonitor:
    """Metrics and log lines of one background loop. Of several failures in a row only the first is logged."""

    def __init__(self, name: str, *, interval: float) -> None:
        self._name = name
        self._failures_in_a_row = 0
        LOOP_INTERVAL.labels(name).set(interval)
        LOOP_SUCCEEDED.labels(name).set_to_current_time()

    def record_progress(self) -> None:
        """Record that the loop moves, also in the middle of a long run."""
        LOOP_SUCCEEDED.labels(self._name).set_to_current_time()

    def record_success(self) -> None:
        """Record a successful run."""
        self.record_progress()
        if self._failures_in_a_row:
            log.info("background loop works again", loop=self._name, failed_runs=self._failures_in_a_row)
        self._failures_in_a_row = 0

    def record_failure(self, error: Exception) -> float:
        """Record a failed run; return the pause before the next one in seconds."""
        LOOP_FAILURES.labels(self._name).inc()
        if not self._failures_in_a_row:
            # The reason of an outage is expected. The traceback of any other error of the database is needed.
            cause = cause_of(error)
            log.warning(
                "background loop failed and tries again",
                loop=self._name,
                error=type(cause).__name__,
                cause=describe_error(cause),
                exc_info=None if isinstance(error, Unavailable) else error,
            )
        self._failures_in_a_row += 1
        return min(2.0 ** min(self._failures_in_a_row - 1, 10), MAX_RETRY_SECONDS)


async def run_periodically(
    work: Callable[[], Awaitable[object]], *, interval: float, wake: asyncio.Event | None = None
) -> None:
    """Run the work again and again, `interval` seconds after the last run or as soon as `wake` is set.

    While the service is read-only, work that writes waits for its next run. If a dependency is unavailable or the
    database reports an error, the next run tries again: a restart of the process would not help, and would end its
    calls. Any other error ends the loop.
    """
    event = wake or asyncio.Event()
    monitor = LoopMonitor(type(work).__name__, interval=interval)
    current_loop.set(monitor)
    while True:
        event.clear()
        try:
            await work()
        except ReadOnly:  # as the operator wants it, and no failure
            monitor.record_progress()
            pause = interval
        except (Unavailable, psycopg.Error) as error:
            pause = monitor.record_failure(error)
        else:
            monitor.record_success()
            pause = interval
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await event.wait()
