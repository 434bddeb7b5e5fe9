"""People who can't be looked up, because auth_service is away: an import that names some waits for it."""

from collections.abc import Collection, Mapping
from uuid import UUID

import pytest
from taskmanager.imports.v1 import import_pb2

from chassis.database.pool import open_pool
from chassis.kernel.errors import Unavailable
from task_service.imports.domain.imports import Checkpoint
from task_service.imports.domain.rows import Batch
from task_service.imports.persistence.row_encoder import copy_rows
from task_service.imports.usecases.ingest import MOST_FRUITLESS_CLAIMS, OpenIngest, PrepareBatch
from task_service.persistence.unit_of_work import SqlTasksUnitOfWork
from tests.integration.task_service.import_calls import END, batch, get, upload


class Away:
    """auth_service, when nobody can ask it anything."""

    async def is_known(self, _: UUID) -> bool:
        raise Unavailable

    async def named(self, _: Collection[str]) -> Mapping[str, UUID]:
        raise Unavailable

    async def called(self, _: Collection[UUID]) -> Mapping[UUID, str]:
        raise Unavailable


async def test_import_waits_while_users_can_not_be_looked_up(system, worker, database):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, b"title,assignee\nBuy milk,sonu\n")
    rows = Batch(Checkpoint(15, 2, 0), Checkpoint(29, 3, 1), [2], ["Buy milk", "sonu"], {})
    async with open_pool(database.tasks_url, name="test", size=1) as pool:
        open_ingest = OpenIngest(begin=lambda: SqlTasksUnitOfWork(pool), lease_seconds=2)
        prepare = PrepareBatch(begin=lambda: SqlTasksUnitOfWork(pool), people=Away(), bulk_rows=copy_rows)
        for _ in range(MOST_FRUITLESS_CLAIMS + 2):
            lease = await worker.claim()
            _, context = await open_ingest(UUID(lease.import_id), lease.fence)
            with pytest.raises(Unavailable):
                await prepare(context, lease.fence, rows)
            assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_QUEUED
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, ["Buy milk", "sonu"], size=14), END)
    done = await get(system, sonu, queued.id)
    assert (done.state, done.rows_created) == (import_pb2.Import.STATE_SUCCEEDED, 1)
