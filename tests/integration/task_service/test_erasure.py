"""Erasing what people wrote from history: the events stay, their free text goes."""

from uuid import uuid4

import pytest

from task_service.history.persistence import erasure
from tests.integration.task_service.calls import create, events_of, update


async def told(system, person, task_id: str) -> list[dict[str, tuple[str, str, bool]]]:
    """What each event says of each field."""
    events = await events_of(system, person, task_id)
    return [{change.field: (change.old, change.new, change.erased) for change in event.changes} for event in events]


async def written(system, person) -> str:
    """A task with a history."""
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


async def test_nothing_is_erased_until_somebody_does(system, sonu):
    created, changed = await told(system, sonu, await written(system, sonu))
    assert created["title"] == ("", "Café", False)
    assert created["labels"] == ("", "private", False)
    assert changed["title"] == ("Café", "Bar", False)


async def test_what_an_owner_wrote_is_erased_and_what_happened_stays(system, sonu, databases, command):
    mina = await system.person("mina")
    mine, hers = await written(system, sonu), await written(system, mina)
    before = await told(system, mina, hers)
    assert await command("erase", "--owner", sonu.id) == (0, "The free text of 2 events was erased.\n", "")
    created, changed = await told(system, sonu, mine)
    gone = ("", "", True)
    assert {field: created.pop(field) for field in ("title", "description", "labels", "external_id")} == {
        "title": gone,
        "description": gone,
        "labels": gone,
        "external_id": gone,
    }
    assert created == {
        "owner_id": ("", sonu.id, False),
        "status": ("", "pending", False),
        "priority": ("", "none", False),
        "due_date": ("", "2026-12-24", False),
    }
    assert changed == {"title": gone, "status": ("pending", "completed", False)}
    assert await told(system, mina, hers) == before
    left = await databases.execute(
        "SELECT string_agg(e::text, '') FROM tasks.task_events e WHERE owner_id = '" + sonu.id + "'"
    )
    assert "Café" not in left[0][0]
    assert await command("erase", "--owner", sonu.id) == (0, "The free text of 0 events was erased.\n", "")


async def test_one_task_s_text_is_erased_and_no_other_s(system, sonu, command):
    gone, kept = await written(system, sonu), await written_again(system, sonu)
    assert await command("erase", "--task", gone) == (0, "The free text of 2 events was erased.\n", "")
    assert [event["title"] for event in await told(system, sonu, gone)] == [("", "", True)] * 2
    assert (await told(system, sonu, kept))[0]["title"] == ("", "other", False)


async def written_again(system, person) -> str:
    return (await create(system, person, title="other")).id


async def test_more_than_a_batch_is_erased_batch_by_batch(databases, command):
    owner, count = uuid4(), 2 * erasure.AT_A_TIME + 1
    for task in ("uuidv7()", "'" + str(uuid4()) + "'"):
        await databases.execute(f"""
            INSERT INTO tasks.task_events (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id,
                changes, free_text, salt, free_text_digest)
            SELECT uuidv7(), {task}, '{owner}', 'updated', uuidv7(), 'user', now(), '', '{{}}', '{{}}', 'x', 'y'
            FROM generate_series(1, {count})
        """)
    (task,) = (await databases.execute("SELECT task_id FROM tasks.task_events GROUP BY 1 HAVING count(*) > 1"))[0]
    told = f"The free text of {count} events was erased.\n"
    assert (await command("erase", "--task", str(task)))[:2] == (0, told)
    assert (await command("erase", "--owner", str(owner)))[:2] == (0, told)
    assert await databases.execute("SELECT count(free_text), count(salt) FROM tasks.task_events") == [(0, 0)]


async def test_only_the_schemas_owner_erases(databases, command):
    status, _, err = await command("erase", "--owner", str(uuid4()), TASKS_OWNER_DATABASE_URL=databases.tasks_url)
    assert (status, "nothing was erased" in err) == (1, True)
    status, _, err = await command(
        "erase", "--owner", str(uuid4()), TASKS_OWNER_DATABASE_URL="postgresql://127.0.0.1:1/x"
    )
    assert (status, err) == (1, "The database of TASKS_OWNER_DATABASE_URL does not answer.\n")


@pytest.mark.parametrize("arguments", [(), ("--owner", "sonu"), ("--owner", str(uuid4()), "--task", str(uuid4()))])
async def test_erasing_needs_to_be_told_whose_text_by_id(command, arguments):
    assert (await command("erase", *arguments))[0] == 2
