"""A log that these tests write, seal, tamper with and verify, without a server in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from chassis.database.pool import Pool, open_pool
from task_service.history.domain.events import Actor, created, updated
from task_service.history.domain.hash_chain import Head, KeptHead
from task_service.history.usecases.hash_chain import GetAuditHead, SealHistory, Verified, VerifyHistory
from task_service.persistence.unit_of_work import SqlTasksReading, SqlTasksUnitOfWork
from task_service.tasks.domain.task import TaskDraft, new_task
from tests.support.database import Database

OWNER = UUID("0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e")
SONU = Actor(OWNER, "user", "request-1")


@dataclass(frozen=True)
class Log:
    """The log of one database, by the service's own repositories."""

    database: Database
    pool: Pool

    def begin(self) -> SqlTasksUnitOfWork:
        return SqlTasksUnitOfWork(self.pool)

    async def write(self, tasks: int = 1) -> None:
        """Two events a task, made and changed, each in a transaction of its own."""
        for number in range(tasks):
            values = TaskDraft(title=f"Task {number}", labels=("private",)).checked()
            before = new_task(values, task_id=uuid7(), owner_id=OWNER, import_id=None)
            after = before.changed({"title": f"Changed {number}"}, datetime.now(UTC))
            for event in (
                created(before, by=SONU, event_id=uuid7()),
                updated(before, after, by=SONU, event_id=uuid7()),
            ):
                async with self.begin() as unit:
                    await unit.history.record(event)
                    await unit.commit()

    async def fill(self, count: int) -> None:
        """Many events at once."""
        await self.database.execute(f"""
            INSERT INTO tasks.task_events
                (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id, changes)
            SELECT uuidv7(), uuidv7(), '{OWNER}', 'deleted', '{OWNER}', 'user', now(), 'r', '{{}}'
            FROM generate_series(1, {count})
        """)

    def sealer(self, pause=asyncio.sleep) -> SealHistory:
        return SealHistory(begin=self.begin, pause=pause)

    async def seal(self) -> int:
        return await self.sealer()()

    async def head(self) -> Head:
        return await GetAuditHead(read=lambda: SqlTasksReading(self.pool))()

    async def kept(self) -> KeptHead:
        head = await self.head()
        return KeptHead(head.number, head.hash)

    async def verify(self, kept: KeptHead | None = None) -> Verified:
        async with SqlTasksReading(self.pool) as data:
            return await VerifyHistory(data.seals)(kept)

    async def ids(self) -> list[str]:
        """The events in the order of the log."""
        rows = await self.database.execute("SELECT id::text FROM tasks.task_events ORDER BY xid, id")
        return [row[0] for row in rows]


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Log]:
    async with open_pool(database.tasks_url, name="test", size=8) as pool:
        yield Log(database, pool)
