"""How the log comes under its seals: in order, once, by one at a time, and held up by none and holding up none."""

import asyncio
import hashlib
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from taskmanager.tasks.v1 import history_service_pb2

from task_service.history.domain.events import Actor
from task_service.history.domain.hash_chain import EVENTS_AT_MOST
from task_service.history.persistence import hash_chain as seals
from task_service.imports.domain.imports import IngestContext
from task_service.imports.persistence.row_encoder import copy_rows
from task_service.tasks.domain.task import Values
from task_service.tasks.domain.values import Priority, Status
from tests.integration.task_service.calls import create

INSERT = """
    INSERT INTO tasks.task_events
        (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id, changes)
    VALUES (uuidv7(), uuidv7(), uuidv7(), 'deleted', uuidv7(), 'user', now(), 'r', '{}')
"""


class CutOffError(Exception):
    """Stands for whatever ends a process."""


async def test_digest_is_independent_of_connection_settings(log, database):
    """By hand, so that nobody changes what a digest is without noticing: no seal that stands would hold any more."""
    await database.execute("""
        INSERT INTO tasks.task_events (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id,
            changes, free_text, salt, free_text_digest) VALUES
        ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002',
            '00000000-0000-7000-8000-000000000003', 'updated', '00000000-0000-7000-8000-000000000004', 'user',
            '2026-03-31 12:00:00.123456+02', 'r', '{"title": null, "status": ["pending", "completed"]}',
            't', 's', '\\x0aff')
    """)
    moment = int(datetime(2026, 3, 31, 10, tzinfo=UTC).timestamp()) * 10**6 + 123456
    ids = [f"00000000-0000-7000-8000-00000000000{number}" for number in (1, 2, 3, 4)]
    text = (
        f'["{ids[0]}", "{ids[1]}", "{ids[2]}", null, "updated", "{ids[3]}", "user", {moment}, "r",'
        ' {"title": null, "status": ["pending", "completed"]}, "0aff"]'
    )
    expected = hashlib.sha256(text.encode()).digest()
    async with await psycopg.AsyncConnection.connect(database.tasks_url) as connection:
        for settings in (
            "SET timezone = 'Asia/Kolkata'",
            "SET datestyle = 'German'",
            "SET bytea_output = 'escape'",
            "SET client_encoding = 'UTF8'",
        ):
            await connection.execute(settings)
            cursor = await connection.execute(f"SELECT {seals.DIGEST} FROM tasks.task_events")
            assert await cursor.fetchone() == (expected,)


async def test_block_lists_its_events_and_links_to_the_previous_one(log):
    assert (await log.head()).number == 0
    await log.write(2)
    before = datetime.now(UTC)
    assert await log.seal() == 4
    assert await log.seal() == 0
    await log.write(1)
    assert await log.seal() == 2
    async with log.begin() as unit:
        first, second = await unit.seals.following(0, 10)
    ids = [UUID(event) for event in await log.ids()]
    assert [entry.event_id for seal in (first, second) for entry in seal.entries()] == ids
    assert (second.hash_before, second.number, second.events_in_all) == (first.hash, 2, 6)
    assert first.hash == first.computed_hash()
    assert before <= first.sealed_at <= second.sealed_at
    assert await log.head() == second.head()


async def test_blocks_have_a_bounded_size(log):
    await log.fill(2 * EVENTS_AT_MOST + 1)
    rests = []

    async def pause(seconds):
        rests.append(seconds)

    assert await log.sealer(pause)() == 2 * EVENTS_AT_MOST + 1
    async with log.begin() as unit:
        assert [seal.events for seal in await unit.seals.following(0, 10)] == [EVENTS_AT_MOST, EVENTS_AT_MOST, 1]
    assert len(rests) == 2, "between full seals it leaves the machine to others"
    assert all(seconds > 0 for seconds in rests)
    assert (await log.verify()).head.events == 2 * EVENTS_AT_MOST + 1


async def test_what_an_import_copies_is_sealed_like_anything_else(log):
    context = IngestContext(UUID(int=1), UUID(int=2), Actor(UUID(int=3), "user", "r"), ("title",))
    rows = [
        Values(f'Task {number}\n\t\\"é', "", Status.PENDING, Priority.NONE, None, ("a",), "", None)
        for number in range(20)
    ]
    async with log.begin() as unit:
        await unit.ingest.write([copy_rows(context, rows)], lambda: None)
        await unit.commit()
    assert await log.seal() == 20
    assert (await log.verify()).head.events == 20


async def test_a_sealer_that_was_cut_off_is_gone_on_from_where_it_was(log):
    await log.fill(2 * EVENTS_AT_MOST + 10)

    async def cut_off(_):
        raise CutOffError

    for done in (1, 2):
        with pytest.raises(CutOffError):
            await log.sealer(cut_off)()
        assert (await log.head()).events == done * EVENTS_AT_MOST
    # In the middle of a seal: nothing of it is left, the turn neither.
    async with log.begin() as unit:
        assert await unit.seals.take_turn()
        assert await unit.seals.add(await unit.seals.head(), EVENTS_AT_MOST) == 10
    assert (await log.head()).events == 2 * EVENTS_AT_MOST
    assert await log.seal() == 10
    assert (await log.verify()).head.number == 3


async def test_however_many_seal_at_once_there_is_one_chain(log):
    async def writing():
        for _ in range(15):
            await log.write()

    async def sealing():
        return sum([await log.seal() for _ in range(15)])

    *_, one, two, three = await asyncio.gather(writing(), writing(), sealing(), sealing(), sealing())
    assert one + two + three + await log.seal() == 60
    found = await log.verify()
    assert (found.head.events, found.not_sealed) == (60, 0)


async def test_whoever_finds_another_one_sealing_leaves_it_to_that_one(log):
    await log.write()
    async with log.begin() as unit:
        assert await unit.seals.take_turn()
        assert await log.seal() == 0
    assert await log.seal() == 2


async def test_open_transaction_delays_blocks_and_is_not_blocked(log, database):
    await log.write()
    async with await psycopg.AsyncConnection.connect(database.tasks_url) as writer:
        await writer.execute(INSERT)
        await log.write()
        assert await log.seal() == 2, "what committed later stands behind what may still commit"
        assert (await log.verify()).not_sealed == 2
        async with log.begin() as sealing:
            assert await sealing.seals.take_turn()
            await sealing.seals.add(await sealing.seals.head(), EVENTS_AT_MOST)
            # While a seal is being made: neither the open transaction nor a new one waits for it.
            await writer.execute("SET lock_timeout = '1ms'")
            await writer.execute(INSERT)
            await log.write()
        await writer.commit()
    assert await log.seal() == 6
    found = await log.verify()
    assert (found.head.events, found.not_sealed) == (8, 0)


async def test_cost_of_a_block_does_not_grow_with_the_chain(log, database):
    await log.fill(20_000)
    await log.sealer(lambda _: asyncio.sleep(0))()
    await log.fill(1000)
    await database.execute("ANALYZE tasks.task_events")
    head = await log.head()
    async with log.begin() as unit:
        await unit.seals.take_turn()
        for statement, values in (
            (seals._ADD, {"number": 1, "events_before": 0, "hash_before": b""}),
            (seals._STANDING, {}),
        ):
            cursor = await unit.connection.execute(
                f"EXPLAIN {statement.sql}", {**values, "most": 1000, **seals._behind(head.place)}
            )
            plan = "\n".join(line for (line,) in await cursor.fetchall())
            assert "task_events_in_commit_order" in plan
            assert "Seq Scan" not in plan
            assert "Sort" not in plan


async def test_chain_verifies_after_a_restore_into_another_cluster(sealed, database, command):
    """The steps that docs/history.md names. Transaction numbers of the old cluster mean nothing in the new one."""
    head = await sealed.head()
    await database.execute("UPDATE tasks.task_events SET xid = (xid::text::bigint + 1000000000)::text::xid8")
    await database.execute(
        "UPDATE tasks.history_blocks SET last_xid = (last_xid::text::bigint + 1000000000)::text::xid8"
    )
    assert (await command("verify", "--head", f"{head.number}:{head.hash.hex()}"))[0] == 0
    assert await sealed.seal() == 0
    await database.execute(
        "BEGIN; UPDATE tasks.task_events SET xid = pg_current_xact_id(); DELETE FROM tasks.history_blocks; COMMIT",
        role="tasks_owner",
    )
    assert await sealed.seal() == 12
    assert (await sealed.verify()).head.number == 1


async def head_over(system, admin, events: int) -> history_service_pb2.AuditHead:
    """The head once so many events are sealed."""
    while True:
        request = history_service_pb2.GetAuditHeadRequest()
        head = await system.history.GetAuditHead(request, metadata=admin.metadata)
        if head.events >= events:
            return head


async def test_service_appends_blocks_and_shows_the_chain_head(system, command):
    admin, sonu = await system.new_admin(), await system.new_user("sonu")
    empty = await head_over(system, admin, 0)
    assert empty == history_service_pb2.AuditHead(number=0, hash="0" * 64)
    task = await create(system, sonu, title="x")
    head = await head_over(system, admin, 1)
    assert (head.number, head.events, len(head.hash)) == (1, 1, 64)
    assert head.sealed_at.ToDatetime(tzinfo=UTC) >= task.created_at.ToDatetime(tzinfo=UTC)
    events = await system.history.ListEvents(history_service_pb2.ListEventsRequest(), metadata=admin.metadata)
    assert [event.id for event in events.events] == [head.newest_event_id]
    assert (await command("verify", "--head", f"{head.number}:{head.hash}"))[0] == 0
