"""Imports of one owner, and interactive batches, that are about the same external_ids at the same time."""

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
    """Each in another order: whoever took locks as they come would wait in a circle."""
    sonu = await system.new_user("sonu")
    keys = [f"K{number}" for number in range(120)]
    mine = [await create(system, sonu, title="mine", external_id=key) for key in keys[:60]]
    leases = []
    for _ in range(3):
        await upload(system, sonu, b"external_id,title\n" + b"x,y\n" * 150, on_duplicate=UPDATE)
        leases.append(await worker.claim())
    chance = random.Random(1)  # noqa: S311 - an example, and the same each time

    async def run(number: int, lease) -> None:
        begin = lease.checkpoint
        for turn in range(4):
            said = batch(begin, *([key, f"{number} {turn}"] for key in chance.sample(keys, 100)), size=5)
            await worker.stream(lease, said)
            begin = said.batch.end
        await worker.stream(lease, END)

    async def edit(number: int) -> None:
        some = chance.sample(mine, 40)
        await calls.batch_update(system, sonu, {task.id: {"title": f"edit {number}"} for task in some})

    await asyncio.gather(*(run(number, lease) for number, lease in enumerate(leases)), *(edit(n) for n in range(20)))
    assert await database.execute(DEADLOCKS) == [(0,)]
    found = [await get(system, sonu, lease.import_id) for lease in leases]
    assert sum(one.rows_created for one in found) == len(keys) - len(mine)
    assert [one.rows_failed for one in found] == [0, 0, 0]
    assert await database.execute("SELECT count(*), count(DISTINCT external_id) FROM tasks.tasks") == [(120, 120)]
    # One entry for each change, and one change for each entry.
    told = await database.execute("SELECT count(*) FROM tasks.task_events")
    assert told == await database.execute("SELECT sum(revision) FROM tasks.tasks")


async def test_batches_in_opposite_order_do_not_deadlock(system, worker, database):
    sonu = await system.new_user("sonu")
    keys = [f"K{number}" for number in range(100)]
    plain = [await create(system, sonu, title="plain") for _ in keys]

    async def making(number: int) -> None:
        some = [f"{key}-{number}" for key in keys]
        await calls.batch_create(system, sonu, [{"title": "made", "external_id": key} for key in reversed(some)])

    async def taking(number: int) -> None:
        changes = {task.id: {"external_id": f"{key}-{number}"} for task, key in zip(plain, reversed(keys), strict=True)}
        await calls.batch_update(system, sonu, changes)

    for number in range(6):
        await upload(system, sonu, b"external_id,title\n" + b"x,y\n" * 150, on_duplicate=SKIP)
        lease = await worker.claim()
        rows = [[f"{key}-{number}", "imported"] for key in keys]
        rivals = making if number % 2 else taking
        importing = worker.stream(lease, batch(lease.checkpoint, *rows, size=5), END)
        outcomes: tuple[Any, Any] = await asyncio.gather(importing, rivals(number), return_exceptions=True)
        answers, rival = outcomes
        assert isinstance(answers, list), answers
        if rival is not None:  # the import was the first, and the whole batch is refused
            assert isinstance(rival, grpc.aio.AioRpcError)
            assert rival.code() is grpc.StatusCode.ALREADY_EXISTS
    assert await database.execute(DEADLOCKS) == [(0,)]
