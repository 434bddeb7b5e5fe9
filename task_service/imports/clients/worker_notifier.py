"""Notifications for import workers, as Celery messages."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack

import structlog
from celery import Celery
from opentelemetry.trace import SpanKind
from redis import Redis

from chassis.logs import describe_error
from chassis.tracing.spans import child_span

TASK = "import_worker.run_next"
QUEUE = "imports"

MAX_QUEUED_MESSAGES = 100
"""Limit for the queue, which would grow without end while no worker runs. More messages would have no effect."""

_ATTRIBUTES = {
    "messaging.system": "redis",
    "messaging.operation.type": "send",
    "messaging.operation.name": "send",
    "messaging.destination.name": QUEUE,
}

log = structlog.get_logger("worker_notifier")


class CeleryWorkerNotifier:
    """Publisher of Celery messages.

    Both clients block, so it publishes from a thread. Both have timeouts, because a dead connection blocks for ever.
    """

    def __init__(self, redis_url: str) -> None:
        timeouts = {"socket_timeout": 5, "socket_connect_timeout": 5}
        self._celery = Celery("task_service", broker=redis_url, set_as_current=False)
        self._celery.conf.update(
            broker_transport_options=timeouts, broker_connection_retry=False, task_ignore_result=True
        )
        self._redis = Redis.from_url(redis_url, **timeouts)

    async def publish(self, traceparents: Sequence[str]) -> None:
        try:
            with ExitStack() as spans:
                for traceparent in traceparents:
                    spans.enter_context(
                        child_span(f"send {QUEUE}", _ATTRIBUTES, kind=SpanKind.PRODUCER, traceparent=traceparent)
                    )
                await asyncio.to_thread(self.publish_now, len(traceparents))
        except Exception as error:  # noqa: BLE001 - kombu raises many kinds; the next run sends again
            log.warning("can't notify the workers", error=type(error).__name__, cause=describe_error(error))

    def publish_now(self, count: int) -> None:
        """Publish from this thread. Raises the errors of kombu and redis."""
        free = MAX_QUEUED_MESSAGES - int(str(self._redis.llen(QUEUE)))
        for _ in range(min(count, free)):
            self._celery.send_task(TASK, queue=QUEUE, ignore_result=True, retry=False)

    async def ping(self) -> None:
        """Contact Redis. Raises the errors of redis."""
        await asyncio.to_thread(self._redis.ping)

    def close(self) -> None:
        """Close the connections."""
        self._celery.close()
        self._redis.close()
