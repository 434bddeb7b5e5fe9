"""Concurrent imports and task batches of one owner that use the same external_ids."""

import asyncio
import random
from typing import Any

import grpc
from taskmanager.imports.v1 import import_service_pb2

from tests.integration.task_service import calls
from tests.integration.task_service.calls import create
from tests.integration.task_service.import_calls import END, batch, get, upload

SKIP, UPDATE = import_service_pb2.UploadOptions.ON_DUPLICATE_SKIP, import_service_pb2.UploadOptions.ON_DUPLICATE_UPDATE
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


async def test_concurrent_writers_of_an_external_id_create_one_task(system, worker, database):
    """Each writer uses another order, so locks in the order of the rows would deadlock."""
    sonu = await system.new_user("sonu")
    keys = [f"K{number}" for number in range(120)]
    existing = [await create(system, sonu, title="existing", external_id=key) for key in keys[:60]]
    leases = []
    for _ in range(3):
        await upload(system, sonu, b"external_id,title\n" + b"x,y\n" * 150, on_duplicate=UPDATE)
        leases.append(await worker.claim())
    rng = random.Random(1)  # noqa: S311 - a fixed example

    async def run_import(number: int, lease) -> None:
        begin = lease.checkpoint
        for turn in range(4):
            sent = batch(begin, *([key, f"{number} {turn}"] for key in rng.sample(keys, 100)), size=5)
            await worker.stream(lease, sent)
            begin = sent.batch.end
        await worker.stream(lease, END)

    async def edit(number: int) -> None:
        sample = rng.sample(existing, 40)
        await calls.batch_update(system, sonu, {task.id: {"title": f"edit {number}"} for task in sample})

    await asyncio.gather(
        *(run_import(number, lease) for number, lease in enumerate(leases)), *(edit(n) for n in range(20))
    )
    assert await database.execute(DEADLOCKS) == [(0,)]
    found = [await get(system, sonu, lease.import_id) for lease in leases]
    assert sum(one.rows_created for one in found) == len(keys) - len(existing)
    assert [one.rows_failed for one in found] == [0, 0, 0]
    assert await database.execute("SELECT count(*), count(DISTINCT external_id) FROM tasks.tasks") == [(120, 120)]
    # Each change has exactly one event.
    events = await database.execute("SELECT count(*) FROM tasks.task_events")
    assert events == await database.execute("SELECT sum(revision) FROM tasks.tasks")


async def test_batches_in_opposite_order_do_not_deadlock(system, worker, database):
    sonu = await system.new_user("sonu")
    keys = [f"K{number}" for number in range(100)]
    plain = [await create(system, sonu, title="plain") for _ in keys]

    async def create_tasks(number: int) -> None:
        sample = [f"{key}-{number}" for key in keys]
        await calls.batch_create(system, sonu, [{"title": "made", "external_id": key} for key in reversed(sample)])

    async def update_tasks(number: int) -> None:
        changes = {task.id: {"external_id": f"{key}-{number}"} for task, key in zip(plain, reversed(keys), strict=True)}
        await calls.batch_update(system, sonu, changes)

    for number in range(6):
        await upload(system, sonu, b"external_id,title\n" + b"x,y\n" * 150, on_duplicate=SKIP)
        lease = await worker.claim()
        rows = [[f"{key}-{number}", "imported"] for key in keys]
        write_rival = create_tasks if number % 2 else update_tasks
        importing = worker.stream(lease, batch(lease.checkpoint, *rows, size=5), END)
        outcomes: tuple[Any, Any] = await asyncio.gather(importing, write_rival(number), return_exceptions=True)
        responses, rival_result = outcomes
        assert isinstance(responses, list), responses
        if rival_result is not None:  # the import was first, so the whole batch is rejected
            assert isinstance(rival_result, grpc.aio.AioRpcError)
            assert rival_result.code() is grpc.StatusCode.ALREADY_EXISTS
    assert await database.execute(DEADLOCKS) == [(0,)]
