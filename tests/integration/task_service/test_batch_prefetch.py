"""Prefetch of batches: the next batch is prepared while the database processes the rows of the current one."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from chassis.database.pool import open_pool
from chassis.kernel.clock import utc_now
from task_service.imports.domain.imports import Checkpoint
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.persistence.row_encoder import encode_rows
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from task_service.imports.usecases.ingest import IngestBatch, PrepareBatch
from task_service.imports.usecases.leases import RenewLease
from task_service.imports.usecases.write_rows import WriteRows
from tests.integration.task_service.import_calls import upload
from tests.support.user_directory import FakeUserDirectory
from tests.support.waiting import wait_until

ROWS = 500
TITLE = "A task whose title is not short"

BLOCK_INSERTS = """
    CREATE FUNCTION block_insert() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END
    $$;
    CREATE TRIGGER block_insert BEFORE INSERT ON tasks.tasks FOR EACH ROW EXECUTE FUNCTION block_insert();
    SELECT pg_advisory_lock(1)
"""
IS_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND NOT granted"


async def test_next_batch_is_prepared_during_the_copy(system, worker, database):
    await upload(system, await system.new_user("sonu"), b"title\n" + f"{TITLE}\n".encode() * ROWS)
    lease = await worker.claim()
    begin, end = Checkpoint(6, 2, 0), Checkpoint(lease.size, 2 + ROWS, ROWS)
    rows = Batch(begin, end, range(2, 2 + ROWS), [TITLE] * ROWS, {})
    calls: list[str] = []
    with psycopg.connect(database.administrator_url, autocommit=True) as other:
        other.execute(BLOCK_INSERTS)

        def start_next() -> None:
            if not calls:
                # This call blocks the event loop, so all rows were sent before it.
                wait_until(lambda: other.execute(IS_WAITING).fetchone() == (1,))
                other.execute("SELECT pg_advisory_unlock(1)")
            calls.append("start_next")

        async with open_pool(database.tasks_url, name="test", size=1) as pool, asyncio.timeout(60):

            def work() -> SqlImportsUnitOfWork:
                return SqlImportsUnitOfWork(pool)

            write_rows = WriteRows(encode_rows=encode_rows, now=lambda: datetime.now(UTC), new_id=uuid7)
            ingest = IngestBatch(
                begin=work, user_directory=FakeUserDirectory(), write_rows=write_rows, lease_seconds=60
            )
            _, context = await RenewLease(begin=work, lease_seconds=60)(UUID(lease.import_id), lease.fence)
            prepare = PrepareBatch(begin=work, user_directory=FakeUserDirectory(), encode_rows=encode_rows, now=utc_now)
            prepared = await prepare(context, lease.fence, rows)
            progress = await ingest(context, lease.fence, prepared, start_next)
    assert calls
    assert progress.checkpoint == end
    assert await database.execute("SELECT count(*) FROM tasks.tasks") == [(ROWS,)]
