"""Erasure of free text from history: the events stay without their text."""

from uuid import uuid4

import pytest

from task_service.history.persistence import erasure
from tests.integration.task_service.calls import create, events_of, update


async def changes_of(system, person, task_id: str) -> list[dict[str, tuple[str, str, bool]]]:
    """Return (old, new, erased) by field, for each event."""
    events = await events_of(system, person, task_id)
    return [{change.field: (change.old, change.new, change.erased) for change in event.changes} for event in events]


async def create_and_update(system, person) -> str:
    """Return the id of a task with two events."""
    task = await create(
        system,
        person,
        title="Café",
        description="for two",
        labels=["private"],
        external_id="A-1",
        due_date="2026-12-24",
    )
    await update(system, person, task.id, title="Bar", status=3)
    return task.id


async def test_events_have_text_before_erasure(system, sonu):
    created, changed = await changes_of(system, sonu, await create_and_update(system, sonu))
    assert created["title"] == ("", "Café", False)
    assert created["labels"] == ("", "private", False)
    assert changed["title"] == ("Café", "Bar", False)


async def test_owners_text_is_erased_and_events_stay(system, sonu, database, command):
    mina = await system.new_user("mina")
    mine, hers = await create_and_update(system, sonu), await create_and_update(system, mina)
    before = await changes_of(system, mina, hers)
    assert await command("erase", "--owner", sonu.id) == (0, "Erased the free text of 2 events.\n", "")
    created, changed = await changes_of(system, sonu, mine)
    erased = ("", "", True)
    assert {field: created.pop(field) for field in ("title", "description", "labels", "external_id")} == {
        "title": erased,
        "description": erased,
        "labels": erased,
        "external_id": erased,
    }
    assert created == {
        "owner_id": ("", sonu.id, False),
        "status": ("", "pending", False),
        "priority": ("", "none", False),
        "due_date": ("", "2026-12-24", False),
    }
    assert changed == {"title": erased, "status": ("pending", "completed", False)}
    assert await changes_of(system, mina, hers) == before
    remaining = await database.execute(
        "SELECT string_agg(e::text, '') FROM tasks.task_events e WHERE owner_id = '" + sonu.id + "'"
    )
    assert "Café" not in remaining[0][0]
    assert await command("erase", "--owner", sonu.id) == (0, "Erased the free text of 0 events.\n", "")


async def test_text_of_one_task_is_erased(system, sonu, command):
    erased_id, other_id = await create_and_update(system, sonu), await create_other(system, sonu)
    assert await command("erase", "--task", erased_id) == (0, "Erased the free text of 2 events.\n", "")
    assert [event["title"] for event in await changes_of(system, sonu, erased_id)] == [("", "", True)] * 2
    assert (await changes_of(system, sonu, other_id))[0]["title"] == ("", "other", False)


async def create_other(system, person) -> str:
    return (await create(system, person, title="other")).id


async def test_erasure_works_in_several_batches(database, command):
    owner, count = uuid4(), 2 * erasure.BATCH_SIZE + 1
    for task in ("uuidv7()", "'" + str(uuid4()) + "'"):
        await database.execute(f"""
            INSERT INTO tasks.task_events (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id,
                changes, free_text, salt, free_text_digest, revision, transaction_number)
            SELECT uuidv7(), {task}, '{owner}', 'updated', uuidv7(), 'user', now(), '', '{{}}', '{{}}', 'x', 'y',
                revision, number
            FROM tasks.take_transaction_number() AS number, generate_series(1, {count}) AS revision
        """)
    (task,) = (await database.execute("SELECT task_id FROM tasks.task_events GROUP BY 1 HAVING count(*) > 1"))[0]
    output = f"Erased the free text of {count} events.\n"
    assert (await command("erase", "--task", str(task)))[:2] == (0, output)
    assert (await command("erase", "--owner", str(owner)))[:2] == (0, output)
    assert await database.execute("SELECT count(free_text), count(salt) FROM tasks.task_events") == [(0, 0)]


async def test_erasure_needs_the_schemas_owner(database, command):
    status, _, err = await command("erase", "--owner", str(uuid4()), TASKS_OWNER_DATABASE_URL=database.tasks_url)
    assert (status, err) == (
        1,
        "Nothing was changed: TASKS_OWNER_DATABASE_URL must name the role tasks_owner.\n",
    )
    status, _, err = await command(
        "erase", "--owner", str(uuid4()), TASKS_OWNER_DATABASE_URL="postgresql://127.0.0.1:1/x"
    )
    assert (status, err) == (
        1,
        "Can't connect to the database of TASKS_OWNER_DATABASE_URL. Check the URL and Postgres.\n",
    )


@pytest.mark.parametrize("arguments", [(), ("--owner", "sonu"), ("--owner", str(uuid4()), "--task", str(uuid4()))])
async def test_erase_command_needs_exactly_one_id(command, arguments):
    assert (await command("erase", *arguments))[0] == 2
