"""Migration of events to separate columns for free text: no value changes."""

import hashlib
import json

import pytest

from chassis.database.migrate import upgrade
from chassis.database.provision import provision
from chassis.testing.database import temporary_database
from task_service.commands.migrate import MIGRATIONS, SCHEMA
from tests.support.database import Database


@pytest.fixture
def before(postgres):
    """Database at the last revision without columns for free text."""
    with temporary_database(postgres) as url:
        database = Database(url)
        owner_url = database.url("tasks_owner")
        provision(administrator_url=url, owner_url=owner_url, app_url=database.tasks_url, schema=SCHEMA)
        upgrade(owner_url, schema=SCHEMA, migrations=MIGRATIONS, revision="0003")
        yield database


async def test_migration_keeps_every_value_of_old_events(before):
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
    order = await before.execute("SELECT id, xid FROM tasks.task_events ORDER BY xid, id")
    upgrade(before.url("tasks_owner"), schema=SCHEMA, migrations=MIGRATIONS)
    rows = await before.execute(
        "SELECT changes, free_text, salt, free_text_digest FROM tasks.task_events ORDER BY xid, id"
    )
    found = [{**changes, **json.loads(text or "{}")} for changes, text, *_ in rows]
    assert found == expected
    assert [text is None for _, text, *_ in rows] == [False, True, True]
    _, text, salt, digest = rows[0]
    assert set(json.loads(text)) == {"title", "labels"}
    assert (len(salt), hashlib.sha256(salt + text.encode()).digest()) == (16, digest)
    assert rows[1][2:] == rows[2][2:] == (None, None)
    assert await before.execute("SELECT id, xid FROM tasks.task_events ORDER BY xid, id") == order
