"""Event log for tests of the hash chain, which write, seal, change and verify it without a server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from chassis.database.pool import Pool, open_pool
from task_service.history.domain.events import Actor
from task_service.history.domain.hash_chain import ChainHead, TrustedHead
from task_service.history.persistence.unit_of_work import SqlHistoryReadSession, SqlHistoryUnitOfWork
from task_service.history.usecases.hash_chain import AppendBlocks, GetAuditHead, VerificationResult, VerifyHashChain
from task_service.tasks.domain.task import TaskDraft, new_task
from task_service.tasks.domain.task_events import task_created, task_updated
from tests.support.database import Database

OWNER = UUID("0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e")
ACTOR = Actor(OWNER, "user", "request-1")


@dataclass(frozen=True)
class HistoryLog:
    """Event log of one database, through the repositories and use cases of the service."""

    database: Database
    pool: Pool

    def begin(self) -> SqlHistoryUnitOfWork:
        return SqlHistoryUnitOfWork(self.pool)

    async def write(self, tasks: int = 1) -> None:
        """Write two events for each task, created and updated, each in a separate transaction."""
        for number in range(tasks):
            values = TaskDraft(title=f"Task {number}", labels=("private",)).validate()
            before = new_task(values, task_id=uuid7(), owner_id=OWNER, import_id=None)
            after = before.changed({"title": f"Changed {number}"}, datetime.now(UTC))
            for event in (
                task_created(before, by=ACTOR, event_id=uuid7()),
                task_updated(before, after, by=ACTOR, event_id=uuid7()),
            ):
                async with self.begin() as work:
                    await work.events.record(event)
                    await work.commit()

    async def fill(self, count: int) -> None:
        """Insert many events in one transaction."""
        await self.database.execute(f"""
            INSERT INTO tasks.task_events
                (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id, changes, revision,
                 transaction_number)
            SELECT uuidv7(), uuidv7(), '{OWNER}', 'deleted', '{OWNER}', 'user', now(), 'r', '{{}}', 1, number
            FROM tasks.take_transaction_number() AS number, generate_series(1, {count})
        """)

    def append_blocks(self, sleep=asyncio.sleep) -> AppendBlocks:
        return AppendBlocks(begin=self.begin, sleep=sleep)

    async def seal(self) -> int:
        return await self.append_blocks()()

    async def head(self) -> ChainHead:
        return await GetAuditHead(read=lambda: SqlHistoryReadSession(self.pool))()

    async def trusted_head(self) -> TrustedHead:
        head = await self.head()
        return TrustedHead(head.number, head.hash)

    async def verify(self, trusted: TrustedHead | None = None) -> VerificationResult:
        async with SqlHistoryReadSession(self.pool) as session:
            return await VerifyHashChain(session.blocks)(trusted)

    async def ids(self) -> list[str]:
        """Return the ids of the events in log order."""
        rows = await self.database.execute("SELECT id::text FROM tasks.task_events ORDER BY transaction_number, id")
        return [row[0] for row in rows]


@asynccontextmanager
async def open_history_log(database: Database) -> AsyncIterator[HistoryLog]:
    """Open a pool on the database and yield its event log."""
    async with open_pool(database.tasks_url, name="test", size=8) as pool:
        yield HistoryLog(database, pool)


@asynccontextmanager
async def writing_event(database: Database) -> AsyncIterator[psycopg.AsyncConnection]:
    """Yield a transaction that has written one more event, of request id `late`, for each event of the log."""
    async with await psycopg.AsyncConnection.connect(database.administrator_url) as connection:
        await connection.execute("""
            INSERT INTO tasks.task_events
                (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id, changes,
                 revision, transaction_number)
            SELECT uuidv7(), task_id, owner_id, 'updated', actor_id, actor_role, now(), 'late', '{}', 2, number
            FROM tasks.task_events, tasks.take_transaction_number() AS number
        """)
        yield connection
