"""Heartbeat file for a container's health check."""

from pathlib import Path
from typing import Any

from celery import bootsteps

HEARTBEAT_SECONDS = 2.0
STALE_SECONDS = 15.0
"""Age from which the file shows that the worker hangs."""


class HeartbeatFile(bootsteps.StartStopStep):
    """File that exists while the consumer is connected to the broker, and that its event loop touches.

    This is a step of Celery's consumer, which stops and starts its steps whenever it loses and regains the broker.
    Celery's signals report only the first connection.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        path = _heartbeat_path(parent)
        if path is not None:
            path.touch()
            self._timer = parent.timer.call_repeatedly(HEARTBEAT_SECONDS, path.touch)

    def stop(self, parent: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        path = _heartbeat_path(parent)
        if path is not None:
            path.unlink(missing_ok=True)


def _heartbeat_path(consumer: Any) -> Path | None:
    name = consumer.app.conf.get("heartbeat_file")
    return Path(name) if name else None
