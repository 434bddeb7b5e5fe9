"""Migrations keep what is stored."""

import hashlib
import json
from contextlib import ExitStack
from datetime import UTC, datetime
from uuid import UUID

import pytest

import task_service
from chassis.testing.database import temporary_database
from task_service.history.domain.event_log import LogPosition
from task_service.history.domain.hash_chain import GENESIS_HASH, Block
from task_service.history.persistence.hash_chain import DIGESTS
from tests.integration.task_service.history_log import open_history_log
from tests.support.database import Database, create_schema, migrate_schema


@pytest.fixture
def database_at(postgres):
    """Return a function that creates a database whose schema has an older revision."""
    with ExitStack() as stack:

        def create(revision: str) -> Database:
            url = stack.enter_context(temporary_database(postgres))
            database = Database(url)
            create_schema(database, task_service, revision=revision)
            return database

        yield create


async def test_migration_keeps_every_value_of_old_events(database_at):
    before = database_at("0003")
    expected = [
        {"title": ["", 'Café \\ "x"\n'], "status": ["", "pending"], "labels": ["", "a,b"]},
        {"status": ["pending", "completed"]},
        {},
    ]
    for changes in expected:
        await before.execute(
            "INSERT INTO tasks.task_events"
            " (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id, changes) VALUES"
            " (uuidv7(), uuidv7(), uuidv7(), 'updated', uuidv7(), 'user', now(), 'r', '"
            + json.dumps(changes).replace("'", "''")
            + "')"
        )
    order = await before.execute("SELECT id FROM tasks.task_events ORDER BY xid, id")
    migrate_schema(before, task_service)
    rows = await before.execute(
        "SELECT changes, free_text, salt, free_text_digest FROM tasks.task_events ORDER BY transaction_number, id"
    )
    found = [{**changes, **json.loads(text or "{}")} for changes, text, *_ in rows]
    assert found == expected
    assert [text is None for _, text, *_ in rows] == [False, True, True]
    _, text, salt, digest = rows[0]
    assert set(json.loads(text)) == {"title", "labels"}
    assert (len(salt), hashlib.sha256(salt + text.encode()).digest()) == (16, digest)
    assert rows[1][2:] == rows[2][2:] == (None, None)
    assert await before.execute("SELECT id FROM tasks.task_events ORDER BY transaction_number, id") == order


async def test_older_events_get_revisions_and_older_blocks_verify(database_at):
    """Two tasks with two events each are in a block of digest version 1. New events follow in version 2."""
    database = database_at("0005")
    for task in (1, 2, 1, 2):
        await database.execute(f"""
            INSERT INTO tasks.task_events
                (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id, changes)
            VALUES (uuidv7(), '{UUID(int=task)}', uuidv7(), 'updated', uuidv7(), 'user', now(), 'r', '{{}}')
        """)
    rows = await database.execute(f"SELECT id, {DIGESTS[1]}, xid::text FROM tasks.task_events ORDER BY xid, id")
    block = Block(
        number=1,
        event_count=4,
        total_events=4,
        position=LogPosition(int(rows[-1][2]), rows[-1][0]),
        manifest=b"".join(event_id.bytes + digest for event_id, digest, _ in rows),
        digest_version=1,
        previous_hash=GENESIS_HASH,
        hash=b"",
        sealed_at=datetime(2026, 3, 31, tzinfo=UTC),
    )
    await database.execute(f"""
        INSERT INTO tasks.history_blocks VALUES (1, 4, 4, '{rows[-1][2]}', '{rows[-1][0]}', '\\x{block.manifest.hex()}',
            '\\x{GENESIS_HASH.hex()}', '\\x{block.compute_hash().hex()}', '{block.sealed_at}')
    """)
    migrate_schema(database, task_service)
    revisions = "SELECT revision FROM tasks.task_events ORDER BY transaction_number, id"
    assert [revision for (revision,) in await database.execute(revisions)] == [1, 1, 2, 2]
    async with open_history_log(database) as log:
        await log.write()
        assert await log.seal() == 2
        assert (await log.verify()).head.total_events == 6


async def test_older_events_get_their_former_assignee(database_at):
    """Events of assignment, reassignment and unassignment, and one that changes no assignee."""
    database = database_at("0013")
    before, after = UUID(int=1), UUID(int=2)
    changes = [{"assignee_id": pair} for pair in (["", str(after)], [str(before), str(after)], [str(before), ""])]
    for revision, change in enumerate([*changes, {"title": None}], 1):
        await database.execute(f"""
            INSERT INTO tasks.task_events (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id,
                changes, revision, transaction_number)
            VALUES (uuidv7(), '{UUID(int=3)}', uuidv7(), 'updated', uuidv7(), 'user', now(), 'r',
                '{json.dumps(change)}', {revision}, tasks.take_transaction_number())
        """)
    migrate_schema(database, task_service)
    rows = await database.execute("SELECT former_assignee_id FROM tasks.task_events ORDER BY revision")
    assert [former for (former,) in rows] == [None, before, before, None]
