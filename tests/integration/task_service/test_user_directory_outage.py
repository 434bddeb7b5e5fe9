"""Outage of auth_service: an import that names assignees waits for its end."""

from uuid import UUID

import pytest
from taskmanager.imports.v1 import import_pb2

from chassis.database.pool import open_pool
from chassis.kernel.clock import utc_now
from chassis.kernel.errors import Unavailable
from task_service.imports.domain.imports import Checkpoint
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.persistence.row_encoder import encode_rows
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from task_service.imports.usecases.ingest import PrepareBatch
from task_service.imports.usecases.leases import MAX_ATTEMPTS_WITHOUT_PROGRESS, RenewLease
from tests.integration.task_service.import_calls import END, batch, end_postponement, get, upload
from tests.support.user_directory import FakeUserDirectory


async def test_import_with_assignees_waits_for_auth_service(system, worker, database):
    """It waits even when it is claimed more often than the limit for attempts without progress."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, b"title,assignee\nBuy milk,sonu\n")
    rows = Batch(Checkpoint(15, 2, 0), Checkpoint(29, 3, 1), [2], ["Buy milk", "sonu"], {})
    async with open_pool(database.tasks_url, name="test", size=1) as pool:
        renew_lease = RenewLease(begin=lambda: SqlImportsUnitOfWork(pool), lease_seconds=2)
        prepare = PrepareBatch(
            begin=lambda: SqlImportsUnitOfWork(pool),
            user_directory=FakeUserDirectory(is_available=False),
            encode_rows=encode_rows,
            now=utc_now,
        )
        for _ in range(MAX_ATTEMPTS_WITHOUT_PROGRESS + 2):
            lease = await worker.claim()
            _, context = await renew_lease(UUID(lease.import_id), lease.fence)
            with pytest.raises(Unavailable):
                await prepare(context, lease.fence, rows)
            waiting = await get(system, sonu, queued.id)
            assert waiting.state == import_pb2.Import.STATE_QUEUED
            assert waiting.waits_for == import_pb2.Import.WAITS_FOR_AUTH_SERVICE
            await end_postponement(database)
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, ["Buy milk", "sonu"], size=14), END)
    done = await get(system, sonu, queued.id)
    assert (done.state, done.rows_created) == (import_pb2.Import.STATE_SUCCEEDED, 1)
