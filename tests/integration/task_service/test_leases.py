"""Leases: order of the claims, lost leases, and imports without progress."""

import asyncio

import grpc
import psycopg
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.imports.v1 import import_pb2

from task_service.settings import TasksSettings
from tests.integration.task_service.import_calls import END, RELEASE_LEASE, batch, get, upload
from tests.support.grpc_calls import refused

MAX_RUNNING = TasksSettings.model_fields["max_concurrent_imports_per_owner"].default
BEGIN = ingest_pb2.Checkpoint(offset=27, line=2)
"""Checkpoint after the header line of FILE."""


async def test_worker_without_the_lease_can_not_write_or_read(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    old = await worker.claim()
    await worker.stream(old, RELEASE_LEASE)
    new = await worker.claim()
    assert (new.import_id, new.fence) == (old.import_id, old.fence + 1)
    for attempt in (
        worker.stream(old, batch(old.checkpoint, ["a", "", ""], size=5)),
        worker.stream(old, END),
        worker.read(old, 0),
    ):
        status = await refused(attempt)
        assert (status.code, status.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LEASE_LOST")
    assert (await get(system, sonu, queued.id)).rows_created == 0


@pytest.mark.parametrize(
    "last", [batch(BEGIN, ["a", "", ""], size=5), END, RELEASE_LEASE], ids=["batch", "end", "release"]
)
async def test_lost_lease_changes_nothing(system, worker, database, last):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    old = await worker.claim()
    assert old.checkpoint == BEGIN
    stream = system.ingest.IngestRows(metadata=worker.metadata)
    await stream.write(
        ingest_pb2.IngestRowsRequest(open=ingest_pb2.IngestOpen(import_id=old.import_id, fence=old.fence))
    )
    assert (await stream.read()).checkpoint == BEGIN
    await database.execute("UPDATE tasks.imports SET lease_until = now() - interval '1 s'")
    new = await worker.claim()
    await stream.write(last)
    status = await refused(stream.read())
    assert (status.code, status.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LEASE_LOST")
    found = await get(system, sonu, queued.id)
    assert (found.state, found.rows_read, found.bytes_read) == (import_pb2.Import.STATE_RUNNING, 0, BEGIN.offset)
    assert await database.execute("SELECT count(*) FROM tasks.tasks") == [(0,)]
    await worker.stream(new, batch(BEGIN, ["b", "", ""], size=5), END)
    assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_SUCCEEDED
    assert await database.execute("SELECT title FROM tasks.tasks") == [("b",)]


async def test_import_with_an_expired_lease_is_claimed_again(system, worker, database):
    sonu = await system.new_user("sonu")
    await upload(system, sonu)
    first = await worker.claim()
    assert await worker.claim() is None
    await database.execute("UPDATE tasks.imports SET lease_until = now() - interval '1 s'")
    second = await worker.claim()
    assert second.fence == first.fence + 1


async def test_two_workers_never_claim_the_same_import(system, worker):
    sonu = await system.new_user("sonu")
    for _ in range(3):
        await upload(system, sonu)
    leases = await asyncio.gather(*(worker.claim() for _ in range(10)))
    claimed = [lease.import_id for lease in leases if lease]
    assert len(claimed) == len(set(claimed)) == 3


async def test_owner_with_the_fewest_running_imports_is_first(system, worker):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    for _ in range(3):
        await upload(system, sonu)
    waiting = await upload(system, mina)
    await worker.claim()
    assert (await worker.claim()).import_id == waiting.id


async def test_owners_take_turns(system, worker):
    """The imports of an owner who has just had a turn wait for those of another owner, also if they are older."""
    sonu, mira = await system.new_user("sonu"), await system.new_user("mira")
    many = [await upload(system, sonu) for _ in range(3)]
    few = [await upload(system, mira) for _ in range(2)]
    claimed = []
    for number in range(5):
        lease = await worker.claim()
        claimed.append(lease.import_id)
        # The first one gives its lease back after a batch, the others end.
        first_batch = batch(lease.checkpoint, ["a", "", ""], size=5)
        await worker.stream(lease, *((first_batch, RELEASE_LEASE) if number == 0 else (END,)))
    assert claimed == [many[0].id, few[0].id, many[1].id, few[1].id, many[2].id]
    assert (await worker.claim()).import_id == many[0].id


async def test_import_fails_after_five_claims_without_progress(system, worker, database):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    for _ in range(5):
        assert await worker.claim()
        await database.execute("UPDATE tasks.imports SET lease_until = now() - interval '1 s'")
    assert await worker.claim() is None
    failed = await get(system, sonu, queued.id)
    assert (failed.state, failed.failure.code) == (import_pb2.Import.STATE_FAILED, "NO_PROGRESS")


async def test_import_locked_by_the_dispatcher_is_still_claimed(system, worker, database):
    """A claim skips locked rows, and the dispatcher locks the row for a moment. The claim retries."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    async with await psycopg.AsyncConnection.connect(database.administrator_url) as dispatcher:
        await dispatcher.execute("SELECT id FROM tasks.imports FOR UPDATE")
        claiming = asyncio.ensure_future(worker.claim())
        claim_queries = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND (query LIKE '%WITH busy AS%' OR query LIKE '%SELECT EXISTS%')"
        )
        while not claiming.done() and await database.execute(claim_queries) == [(0,)]:
            pass
        await dispatcher.rollback()
    lease = await claiming
    assert lease is not None
    assert lease.import_id == queued.id


async def test_owner_at_the_limit_is_woken_when_an_import_ends(system, worker, database):
    async def wakes(import_id: str) -> int:
        ((count,),) = await database.execute(f"SELECT wakes FROM tasks.imports WHERE id = '{import_id}'")
        return count

    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    for _ in range(MAX_RUNNING):
        await upload(system, sonu)
    leases = [await worker.claim() for _ in range(MAX_RUNNING)]
    await database.execute("UPDATE tasks.imports SET lease_until = now() + interval '1 hour'")
    waiting = await upload(system, sonu)
    # All due imports are marked together. Once the later one is marked, the earlier one was skipped.
    other = await upload(system, mina)
    while not await wakes(other.id):
        pass
    assert await wakes(waiting.id) == 0
    await worker.stream(leases[0], batch(leases[0].checkpoint, ["a", "", ""], size=5), END)
    while not await wakes(waiting.id):
        pass
