"""The file that tells a container's health check that the worker takes wake-ups."""

from pathlib import Path
from typing import Any

from celery import bootsteps

BEAT_SECONDS = 2.0
STALE_SECONDS = 15.0
"""The age from which the file says that the worker hangs."""


class HeartbeatFile(bootsteps.StartStopStep):
    """There exactly while the consumer is connected, and touched by its event loop.

    A step of Celery's consumer, which stops and starts its steps whenever it loses and finds the broker; its other
    signals tell of the first connection only.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        path = _path(parent)
        if path is not None:
            path.touch()
            self._timer = parent.timer.call_repeatedly(BEAT_SECONDS, path.touch)

    def stop(self, parent: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        path = _path(parent)
        if path is not None:
            path.unlink(missing_ok=True)


def _path(consumer: Any) -> Path | None:
    name = consumer.app.conf.get("heartbeat_file")
    return Path(name) if name else None
