"""Health of the worker's consumer, which takes wake-ups from the broker."""

import time
from collections.abc import Callable
from typing import Any

from celery import bootsteps

from chassis.probes.dependency import Dependency
from chassis.probes.process_status import ProcessStatus

TURN_SECONDS = 2.0
MAX_TURN_SECONDS = 15.0
"""A connected consumer whose event loop has not turned for this long hangs."""


class ConsumerHealth:
    """State of the consumer: connected or not, and the last turn of its event loop.

    A worker is ready from its first connection until SIGTERM. An outage of the broker is shown as that of a dependency:
    a restart of the worker would not end it.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last_turn: float | None = None
        self.broker = Dependency("redis")
        self.status = ProcessStatus("import_worker", [self.broker])

    def record_turn(self) -> None:
        """Record that the consumer is connected and its event loop turns."""
        self._last_turn = self._monotonic()

    def record_connection(self) -> None:
        """Record that the consumer has connected to the broker."""
        self.record_turn()
        self.broker.record_success()
        if not self.status.is_draining:
            self.status.set_ready()

    def record_disconnection(self) -> None:
        """Record that the consumer has lost the broker, or stops."""
        self._last_turn = None
        if not self.status.is_draining:
            self.broker.record_failure(ConnectionError("the connection was lost"))

    def find_problem(self) -> str:
        """Return the problem for which the worker should be restarted; empty if there is none."""
        last_turn = self._last_turn
        if last_turn is None or self._monotonic() - last_turn < MAX_TURN_SECONDS:
            return ""
        return "consumer hangs"


def health_step(health: ConsumerHealth) -> type[bootsteps.StartStopStep]:
    """Return a step of Celery's consumer that records its health.

    Celery stops and starts the steps whenever the consumer loses and regains the broker. Celery's signals report only
    the first connection.
    """

    class HealthStep(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, parent: Any, **options: Any) -> None:
            super().__init__(parent, **options)
            self._timer: Any = None

        def start(self, parent: Any) -> None:
            health.record_connection()
            self._timer = parent.timer.call_repeatedly(TURN_SECONDS, health.record_turn)

        def stop(self, parent: Any) -> None:  # noqa: ARG002 - the signature of Celery
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
                health.record_disconnection()

    return HealthStep
