"""Notifications of changed imports: NOTIFY in the transaction, and one LISTEN connection for each process."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import psycopg
from sqlalchemy import text

from chassis.database.connection import TimeLimitedConnection, connection_options
from chassis.database.statement import Statement
from chassis.database.unit_of_work import translate_outages
from chassis.kernel.errors import Unavailable
from chassis.periodic import LoopMonitor

CHANNEL = "task_service_imports"
NOTIFY = Statement(text(f"SELECT pg_notify('{CHANNEL}', CAST(:import_id AS text))"))

HEARTBEAT_SECONDS = 10.0
"""Interval between two statements that check whether the connection still works."""
POLL_INTERVAL_SECONDS = 1.0
"""Interval at which watchers read their imports where notifications can't arrive."""


class ChangeEvent:
    """Event that is set by a change of an import; waiting for it clears it."""

    def __init__(self) -> None:
        self._set = asyncio.Event()

    def set(self) -> None:
        self._set.set()

    async def wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._set.wait()
        self._set.clear()


class PostgresNotifications:
    """Distributor of the database's notifications to the watchers in this process."""

    def __init__(self, url: str | None) -> None:
        # LISTEN belongs to a database session, so it needs its own connection outside the pool, and no pooler.
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
        """Listen until cancelled. After an outage every watcher is notified, because notifications may be lost.

        Without a URL it wakes all watchers at an interval: each of them then reads its import.
        """
        if self._url is None:
            await self._poll()
            return
        monitor = LoopMonitor(type(self).__name__, interval=HEARTBEAT_SECONDS)
        while True:
            try:
                with translate_outages():
                    await self._listen(self._url, monitor)
            except (Unavailable, psycopg.Error) as error:
                await asyncio.sleep(monitor.record_failure(error))

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
            self._wake_all()

    def _wake_all(self) -> None:
        for events in self._subscribers.values():
            for event in events:
                event.set()

    async def _listen(self, url: str, monitor: LoopMonitor) -> None:
        options = connection_options("task_service notifications", prepared_statements=False)
        async with await TimeLimitedConnection.connect(url, **options) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._wake_all()
            while True:
                monitor.record_success()
                async for notification in connection.notifies(timeout=HEARTBEAT_SECONDS):
                    for event in self._subscribers.get(notification.payload, ()):
                        event.set()
                await connection.execute("SELECT 1")
