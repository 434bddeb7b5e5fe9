"""Wake-ups for the import workers, as Celery messages."""

import asyncio

import structlog
from celery import Celery
from redis import Redis

TASK = "import_worker.run_next"
QUEUE = "imports"

ENOUGH_WAITING = 100
"""Messages in the queue beyond which another one says nothing new, as when no worker has run for a day."""

log = structlog.get_logger("wake_ups")


class CeleryWakeUps:
    """Publishes from a thread, for both clients block; with time limits, for a dead link would block for ever."""

    def __init__(self, redis_url: str) -> None:
        timeouts = {"socket_timeout": 5, "socket_connect_timeout": 5}
        self._celery = Celery("task_service", broker=redis_url, set_as_current=False)
        self._celery.conf.update(
            broker_transport_options=timeouts, broker_connection_retry=False, task_ignore_result=True
        )
        self._redis = Redis.from_url(redis_url, **timeouts)

    async def publish(self, count: int) -> None:
        try:
            await asyncio.to_thread(self.publish_now, count)
        except Exception as error:  # noqa: BLE001 - kombu lets many kinds through; the next round sends again
            log.warning("no wake-up sent", error=type(error).__name__)

    def publish_now(self, count: int) -> None:
        """Publishes from this thread. Raises what kombu and redis do."""
        room = ENOUGH_WAITING - int(str(self._redis.llen(QUEUE)))
        for _ in range(min(count, room)):
            self._celery.send_task(TASK, queue=QUEUE, ignore_result=True, retry=False)

    def close(self) -> None:
        """Lets the connections go."""
        self._celery.close()
        self._redis.close()
