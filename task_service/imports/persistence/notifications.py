"""Notifications of changed imports: NOTIFY in the transaction, and one LISTEN connection for each process."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import psycopg
import structlog
from sqlalchemy import text

from chassis.database.statement import Statement

CHANNEL = "task_service_imports"
NOTIFY = Statement(text(f"SELECT pg_notify('{CHANNEL}', CAST(:import_id AS text))"))

RECONNECT_SECONDS = 1.0

log = structlog.get_logger("notifications")


class ChangeEvent:
    """Event that is set by a change of an import; waiting for it clears it."""

    def __init__(self) -> None:
        self._set = asyncio.Event()

    def set(self) -> None:
        self._set.set()

    async def wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._set.wait(), seconds)
        self._set.clear()


class PostgresNotifications:
    """Distributor of the database's notifications to the watchers in this process."""

    def __init__(self, url: str) -> None:
        # LISTEN belongs to a database session, so it needs its own connection outside the pool.
        self._url = url
        self._subscribers: defaultdict[str, set[ChangeEvent]] = defaultdict(set)

    @contextmanager
    def subscribe(self, import_id: UUID) -> Iterator[ChangeEvent]:
        event = ChangeEvent()
        self._subscribers[str(import_id)].add(event)
        try:
            yield event
        finally:
            self._subscribers[str(import_id)].discard(event)
            if not self._subscribers[str(import_id)]:
                del self._subscribers[str(import_id)]

    async def run(self) -> None:
        """Listen until cancelled. After an outage every watcher is notified, because notifications may be lost."""
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                log.warning("can't listen for notifications", error=type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, application_name="task_service notifications"
        ) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            for events in self._subscribers.values():
                for event in events:
                    event.set()
            async for notification in connection.notifies():
                for event in self._subscribers.get(notification.payload, ()):
                    event.set()
