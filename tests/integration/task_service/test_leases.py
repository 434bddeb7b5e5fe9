"""Leases: whose turn it is, who lost it, and what nobody gets any further with."""

import asyncio

import grpc
import psycopg
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.imports.v1 import import_pb2

from task_service.settings import TasksSettings
from tests.integration.task_service.import_calls import END, GIVE_BACK, batch, get, refused, upload

AT_ONCE = TasksSettings.model_fields["max_concurrent_imports_per_owner"].default
BEGIN = ingest_pb2.Checkpoint(offset=27, line=2)
"""Behind the header line of the file that is uploaded here."""


async def test_whoever_lost_the_lease_writes_nothing_more(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    old = await worker.claim()
    await worker.stream(old, GIVE_BACK)
    new = await worker.claim()
    assert (new.import_id, new.fence) == (old.import_id, old.fence + 1)
    for attempt in (
        worker.stream(old, batch(old.checkpoint, ["a", "", ""], size=5)),
        worker.stream(old, END),
        worker.read(old, 0),
    ):
        assert (await refused(attempt))[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "LEASE_LOST")
    assert (await get(system, sonu, queued.id)).rows_created == 0


@pytest.mark.parametrize("last", [batch(BEGIN, ["a", "", ""], size=5), END, GIVE_BACK], ids=["batch", "end", "back"])
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
    assert (await refused(stream.read()))[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "LEASE_LOST")
    found = await get(system, sonu, queued.id)
    assert (found.state, found.rows_read, found.bytes_read) == (import_pb2.Import.STATE_RUNNING, 0, BEGIN.offset)
    assert await database.execute("SELECT count(*) FROM tasks.tasks") == [(0,)]
    await worker.stream(new, batch(BEGIN, ["b", "", ""], size=5), END)
    assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_SUCCEEDED
    assert await database.execute("SELECT title FROM tasks.tasks") == [("b",)]


async def test_an_expired_lease_is_claimed_by_another_worker(system, worker, database):
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


async def test_the_owner_with_the_fewest_running_imports_comes_first(system, worker):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    for _ in range(3):
        await upload(system, sonu)
    waiting = await upload(system, mina)
    await worker.claim()
    assert (await worker.claim()).import_id == waiting.id


async def test_five_claims_without_progress_end_an_import_as_failed(system, worker, database):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    for _ in range(5):
        assert await worker.claim()
        await database.execute("UPDATE tasks.imports SET lease_until = now() - interval '1 s'")
    assert await worker.claim() is None
    failed = await get(system, sonu, queued.id)
    assert (failed.state, failed.failure.code) == (import_pb2.Import.STATE_FAILED, "NO_PROGRESS")


async def test_import_locked_by_the_dispatcher_is_still_claimed(system, worker, database):
    """The dispatcher holds the row's lock for a moment, and a claim passes over what is locked."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu)
    async with await psycopg.AsyncConnection.connect(database.administrator_url) as dispatcher:
        await dispatcher.execute("SELECT id FROM tasks.imports FOR UPDATE")
        claiming = asyncio.ensure_future(worker.claim())
        looked = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND (query LIKE '%WITH busy AS%' OR query LIKE '%SELECT EXISTS%')"
        )
        while not claiming.done() and await database.execute(looked) == [(0,)]:
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
    for _ in range(AT_ONCE):
        await upload(system, sonu)
    leases = [await worker.claim() for _ in range(AT_ONCE)]
    await database.execute("UPDATE tasks.imports SET lease_until = now() + interval '1 hour'")
    waiting = await upload(system, sonu)
    # Whatever is due is woken together: when the later one is, the earlier one has been passed over.
    other = await upload(system, mina)
    while not await wakes(other.id):
        pass
    assert await wakes(waiting.id) == 0
    await worker.stream(leases[0], batch(leases[0].checkpoint, ["a", "", ""], size=5), END)
    while not await wakes(waiting.id):
        pass
