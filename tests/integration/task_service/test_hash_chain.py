"""Hash chain: each event is in one block, in log order, and sealing does not block writers."""

import asyncio
import hashlib
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from taskmanager.tasks.v1 import history_service_pb2

from task_service.history.domain.events import Actor
from task_service.history.domain.hash_chain import MAX_BLOCK_EVENTS
from task_service.history.persistence import hash_chain
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.persistence.row_encoder import encode_rows
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from task_service.tasks.domain.task import Values
from task_service.tasks.domain.values import Priority, Status
from tests.integration.task_service.calls import create

INSERT = """
    INSERT INTO tasks.task_events
        (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id, changes, revision,
         transaction_number)
    VALUES (uuidv7(), uuidv7(), uuidv7(), 'deleted', uuidv7(), 'user', now(), 'r', '{}', 1,
         tasks.take_transaction_number())
"""


class ProcessDied(Exception):
    """Stand-in for the crash of a process."""


async def test_digest_does_not_depend_on_connection_settings(log, database):
    """The expected digest is a constant, because a change of a definition would invalidate every stored block."""
    await database.execute("""
        INSERT INTO tasks.task_events (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id,
            changes, free_text, salt, free_text_digest, revision, transaction_number) VALUES
        ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002',
            '00000000-0000-7000-8000-000000000003', 'updated', '00000000-0000-7000-8000-000000000004', 'user',
            '2026-03-31 12:00:00.123456+02', 'r', '{"title": null, "status": ["pending", "completed"]}',
            't', 's', '\\x0aff', 7, 42)
    """)
    moment = int(datetime(2026, 3, 31, 10, tzinfo=UTC).timestamp()) * 10**6 + 123456
    ids = [f"00000000-0000-7000-8000-00000000000{number}" for number in (1, 2, 3, 4)]
    common = (
        f'"{ids[0]}", "{ids[1]}", "{ids[2]}", null, "updated", "{ids[3]}", "user", {moment}, "r",'
        ' {"title": null, "status": ["pending", "completed"]}, "0aff"'
    )
    expected = {1: f"[{common}]", 2: f"[2, {common}, 7, 42]"}
    async with await psycopg.AsyncConnection.connect(database.tasks_url) as connection:
        for settings in (
            "SET timezone = 'Asia/Kolkata'",
            "SET datestyle = 'German'",
            "SET bytea_output = 'escape'",
            "SET client_encoding = 'UTF8'",
        ):
            await connection.execute(settings)
            for version, text in expected.items():
                cursor = await connection.execute(f"SELECT {hash_chain.DIGESTS[version]} FROM tasks.task_events")
                assert await cursor.fetchone() == (hashlib.sha256(text.encode()).digest(),)


async def test_blocks_hold_events_in_order_and_chain_their_hashes(log):
    assert (await log.head()).number == 0
    await log.write(2)
    before = datetime.now(UTC)
    assert await log.seal() == 4
    assert await log.seal() == 0
    await log.write(1)
    assert await log.seal() == 2
    async with log.begin() as work:
        first, second = await work.blocks.list_after(0, 10)
    ids = [UUID(event) for event in await log.ids()]
    assert [entry.event_id for block in (first, second) for entry in block.entries()] == ids
    assert (second.previous_hash, second.number, second.total_events) == (first.hash, 2, 6)
    assert first.hash == first.compute_hash()
    assert before <= first.sealed_at <= second.sealed_at
    assert await log.head() == second.head()


async def test_backlog_is_sealed_in_blocks_of_limited_size(log):
    await log.fill(2 * MAX_BLOCK_EVENTS + 1)
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    assert await log.append_blocks(sleep)() == 2 * MAX_BLOCK_EVENTS + 1
    async with log.begin() as work:
        assert [block.event_count for block in await work.blocks.list_after(0, 10)] == [
            MAX_BLOCK_EVENTS,
            MAX_BLOCK_EVENTS,
            1,
        ]
    assert len(pauses) == 2, "a pause after each full block"
    assert all(seconds > 0 for seconds in pauses)
    assert (await log.verify()).head.total_events == 2 * MAX_BLOCK_EVENTS + 1


async def test_events_of_an_import_are_sealed(log):
    context = IngestContext(UUID(int=1), UUID(int=2), Actor(UUID(int=3), "user", "r"), ("title",))
    rows = [
        Values(f'Task {number}\n\t\\"é', "", Status.PENDING, Priority.NONE, None, ("a",), "", None)
        for number in range(20)
    ]
    async with SqlImportsUnitOfWork(log.pool) as work:
        await work.ingest.insert_rows([encode_rows(context, rows)], on_sent=lambda: None)
        await work.commit()
    assert await log.seal() == 20
    assert (await log.verify()).head.total_events == 20


async def test_sealing_resumes_after_a_process_died(log):
    await log.fill(2 * MAX_BLOCK_EVENTS + 10)

    async def die(_):
        raise ProcessDied

    for done in (1, 2):
        with pytest.raises(ProcessDied):
            await log.append_blocks(die)()
        assert (await log.head()).total_events == done * MAX_BLOCK_EVENTS
    # A process that dies before its commit leaves neither a block nor the lock.
    async with log.begin() as work:
        assert await work.blocks.try_lock()
        assert (
            await work.blocks.append(await work.blocks.head(), await work.event_log.horizon(), MAX_BLOCK_EVENTS) == 10
        )
    assert (await log.head()).total_events == 2 * MAX_BLOCK_EVENTS
    assert await log.seal() == 10
    assert (await log.verify()).head.number == 3


async def test_concurrent_processes_append_one_chain(log):
    async def writing():
        for _ in range(15):
            await log.write()

    async def sealing():
        return sum([await log.seal() for _ in range(15)])

    *_, one, two, three = await asyncio.gather(writing(), writing(), sealing(), sealing(), sealing())
    assert one + two + three + await log.seal() == 60
    result = await log.verify()
    assert (result.head.total_events, result.unsealed_events) == (60, 0)


async def test_sealing_stops_while_another_process_has_the_lock(log):
    await log.write()
    async with log.begin() as work:
        assert await work.blocks.try_lock()
        assert await log.seal() == 0
    assert await log.seal() == 2


async def test_open_transaction_delays_sealing_and_is_not_blocked(log, database):
    await log.write()
    async with await psycopg.AsyncConnection.connect(database.tasks_url) as writer:
        await writer.execute(INSERT)
        await log.write()
        assert await log.seal() == 2, "later events wait for the open transaction"
        assert (await log.verify()).unsealed_events == 2
        async with log.begin() as sealing:
            assert await sealing.blocks.try_lock()
            horizon = await sealing.event_log.horizon()
            await sealing.blocks.append(await sealing.blocks.head(), horizon, MAX_BLOCK_EVENTS)
            # Neither the open transaction nor a new one waits for the uncommitted block.
            await writer.execute("SET lock_timeout = '1ms'")
            await writer.execute(INSERT)
            await log.write()
        await writer.commit()
    assert await log.seal() == 6
    result = await log.verify()
    assert (result.head.total_events, result.unsealed_events) == (8, 0)


async def test_sealing_reads_only_unsealed_events(log, database):
    """The plan uses the index in commit order, so the cost does not grow with the log."""
    await log.fill(20_000)
    await log.append_blocks(lambda _: asyncio.sleep(0))()
    await log.fill(1000)
    await database.execute("ANALYZE tasks.task_events")
    head = await log.head()
    async with log.begin() as work:
        await work.blocks.try_lock()
        for statement, values in (
            (hash_chain._APPEND, {"number": 1, "total_events": 0, "previous_hash": b"", "horizon": 10**9}),
            (hash_chain._STORED_EVENTS[hash_chain.DIGEST_VERSION], {}),
        ):
            cursor = await work.connection.execute(
                f"EXPLAIN {statement.sql}", {**values, "limit": 1000, **hash_chain._after(head.position)}
            )
            plan = "\n".join(line for (line,) in await cursor.fetchall())
            assert "task_events_in_commit_order" in plan
            assert "Seq Scan" not in plan
            assert "Sort" not in plan


async def wait_for_head(system, admin, events: int) -> history_service_pb2.AuditHead:
    """Return the head as soon as this many events are sealed."""
    while True:
        request = history_service_pb2.GetAuditHeadRequest()
        head = await system.history.GetAuditHead(request, metadata=admin.metadata)
        if head.events >= events:
            return head


async def test_running_service_seals_events(system, command):
    """An admin reads the head, and `verify` accepts it."""
    admin, sonu = await system.new_admin(), await system.new_user("sonu")
    empty = await wait_for_head(system, admin, 0)
    assert empty == history_service_pb2.AuditHead(number=0, hash="0" * 64)
    task = await create(system, sonu, title="x")
    head = await wait_for_head(system, admin, 1)
    assert (head.number, head.events, len(head.hash)) == (1, 1, 64)
    assert head.sealed_at.ToDatetime(tzinfo=UTC) >= task.created_at.ToDatetime(tzinfo=UTC)
    events = await system.history.ListEvents(history_service_pb2.ListEventsRequest(), metadata=admin.metadata)
    assert [event.id for event in events.events] == [head.newest_event_id]
    assert (await command("verify", "--head", f"{head.number}:{head.hash}"))[0] == 0
