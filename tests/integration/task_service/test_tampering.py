"""Whatever is done to history by somebody who may write anything to the database, `verify` names the first of it."""

import pytest

from task_service.history.persistence.hash_chain import SEALED_COLUMNS
from task_service.history.usecases.hash_chain import Tampered
from task_service.persistence.tables import seals, task_events

ANOTHER = {
    "id": "uuidv7()",
    "task_id": "uuidv7()",
    "owner_id": "uuidv7()",
    "assignee_id": "uuidv7()",
    "action": "'purged'",
    "actor_id": "uuidv7()",
    "actor_role": "'admin'",
    "occurred_at": "occurred_at + interval '1 microsecond'",
    "request_id": "request_id || 'x'",
    "changes": 'changes || \'{"status": ["pending", "completed"]}\'',
    "free_text_digest": "sha256(free_text_digest)",
}
COPIED = ", ".join(name for name in (*SEALED_COLUMNS, "free_text", "salt") if name != "id")


async def told(log, kept=None) -> str:
    """What is found to be wrong."""
    with pytest.raises(Tampered) as caught:
        await log.verify(kept)
    return str(caught.value)


async def test_what_nobody_touched_is_whole(sealed):
    await sealed.write()
    found = await sealed.verify(await sealed.kept())
    assert (found.head, found.erased, found.not_sealed) == (await sealed.head(), 0, 2)
    assert (found.head.number, found.head.events) == (3, 12)


async def test_an_empty_log_is_whole(log):
    assert await log.seal() == 0
    assert await log.verify(await log.kept()) == (await log.head(), 0, 0)


@pytest.mark.parametrize("column", [name for name in SEALED_COLUMNS if name != "id"])
async def test_an_event_that_was_edited_is_named_whatever_was_edited(sealed, database, column):
    event = (await sealed.ids())[5]
    await database.execute(f"UPDATE tasks.task_events SET {column} = {ANOTHER[column]} WHERE id = '{event}'")
    assert await told(sealed) == f"Event {event} was edited (seal 2)."


async def test_every_event_column_is_hashed_or_exempt():
    reasons = {"free_text": "erasable", "salt": "erasable", "xid": "only its order counts, and a restore changes it"}
    assert {*SEALED_COLUMNS, *reasons} == set(task_events.columns.keys())


async def test_of_several_events_that_were_edited_the_first_is_named(sealed, database):
    ids = await sealed.ids()
    await database.execute(f"UPDATE tasks.task_events SET action = 'purged' WHERE id IN ('{ids[9]}', '{ids[3]}')")
    assert await told(sealed) == f"Event {ids[3]} was edited (seal 1)."


@pytest.mark.parametrize("place", [0, 5, 7, 11])
async def test_an_event_that_was_removed_is_named(sealed, database, place):
    event = (await sealed.ids())[place]
    await database.execute(f"DELETE FROM tasks.task_events WHERE id = '{event}'")
    assert await told(sealed) == f"Event {event} was removed (seal {place // 4 + 1})."


async def test_an_event_under_another_id_counts_as_removed(sealed, database):
    event = (await sealed.ids())[5]
    await database.execute(f"UPDATE tasks.task_events SET id = uuidv7() WHERE id = '{event}'")
    assert await told(sealed) == f"Event {event} was removed (seal 2)."


@pytest.mark.parametrize("first", [0, 3, 10])
async def test_events_that_changed_places_are_named(sealed, database, first):
    ids = await sealed.ids()
    one, other = ids[first], ids[first + 1]
    await database.execute(f"""
        UPDATE tasks.task_events e SET xid = o.xid FROM tasks.task_events o
        WHERE (e.id, o.id) IN (('{one}', '{other}'), ('{other}', '{one}'))
    """)
    assert await sealed.ids() != ids
    told_seal = first // 4 + 1
    assert await told(sealed) == f"Event {one} does not stand where it was (seal {told_seal}): events were reordered."


async def test_an_event_that_was_moved_behind_the_last_seal_is_named(sealed, database):
    event = (await sealed.ids())[11]
    await database.execute(f"UPDATE tasks.task_events SET xid = '1000000000' WHERE id = '{event}'")
    assert await told(sealed) == f"Seal 3 was changed, or its last event {event} was moved."


@pytest.mark.parametrize("place", [0, 4, 6])
async def test_an_event_that_was_inserted_is_named(sealed, database, place):
    before = (await sealed.ids())[place]
    ((new,),) = await database.execute(f"""
        INSERT INTO tasks.task_events (id, xid, {COPIED})
        SELECT '00000000-0000-7000-8000-000000000001', xid, {COPIED} FROM tasks.task_events WHERE id = '{before}'
        RETURNING id
    """)
    assert await told(sealed) == f"Event {new} was inserted before event {before} (seal {place // 4 + 1})."


async def test_swapped_events_are_detected_at_the_first(sealed, database):
    ids = await sealed.ids()
    await database.execute("ALTER TABLE tasks.task_events DROP CONSTRAINT task_events_pkey")
    columns = COPIED.split(", ")
    await database.execute(f"""
        UPDATE tasks.task_events e SET ({COPIED}) = (SELECT {", ".join("o." + name for name in columns)})
        FROM tasks.task_events o WHERE (e.id, o.id) IN (('{ids[2]}', '{ids[8]}'), ('{ids[8]}', '{ids[2]}'))
    """)
    assert await told(sealed) == f"Event {ids[2]} was edited (seal 1)."


@pytest.mark.parametrize(
    "change",
    [
        "free_text = replace(free_text, 'Task', 'Tusk')",
        "salt = sha256(salt)",
        "free_text = '{}', salt = 'x', free_text_digest = NULL",
        "free_text_digest = NULL",
        "free_text_digest = sha256(salt || 'x'), free_text = 'x'",
    ],
)
async def test_free_text_that_was_changed_and_not_erased_is_named(sealed, database, change):
    event = (await sealed.ids())[4]
    await database.execute(f"UPDATE tasks.task_events SET {change} WHERE id = '{event}'")
    assert event in await told(sealed)


async def test_free_text_that_was_swapped_is_found_at_the_first(sealed, database):
    ids = await sealed.ids()
    await database.execute(f"""
        UPDATE tasks.task_events e SET free_text = o.free_text, salt = o.salt FROM tasks.task_events o
        WHERE (e.id, o.id) IN (('{ids[1]}', '{ids[6]}'), ('{ids[6]}', '{ids[1]}'))
    """)
    assert await told(sealed) == f"The free text of event {ids[1]} was edited (seal 1)."


async def test_what_was_erased_leaves_the_chain_whole(sealed, database, command):
    kept = await sealed.kept()
    ((task,),) = await database.execute("SELECT task_id FROM tasks.task_events ORDER BY xid, id LIMIT 1")
    await command("erase", "--task", str(task))
    assert (await sealed.verify(kept)).erased == 2
    await command("erase", "--owner", "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e")
    assert (await sealed.verify(kept)).erased == 12


@pytest.mark.parametrize(
    "change",
    [
        "number = 7",
        "events = events - 1",
        "events = -1000",
        "events_in_all = events_in_all + 1",
        "last_xid = '7'",
        "last_id = uuidv7()",
        "manifest = substring(manifest FOR octet_length(manifest) - 48)",
        "manifest = overlay(manifest PLACING '\\x00' FROM 60)",
        "hash_before = sha256(hash_before)",
        "hash = sha256(hash)",
        "sealed_at = sealed_at - interval '1 microsecond'",
    ],
)
async def test_a_seal_that_was_changed_is_named(sealed, database, change):
    await database.execute(f"UPDATE tasks.history_blocks SET {change} WHERE number = 2")
    assert (await told(sealed)).startswith("Seal 2 was changed")


async def test_tampering_tests_cover_every_block_column():
    (change,) = [mark for mark in test_a_seal_that_was_changed_is_named.pytestmark if mark.name == "parametrize"]
    assert {tried.split(" = ")[0] for tried in change.args[1]} == set(seals.columns.keys())


async def test_a_seal_that_was_removed_is_named(sealed, database):
    await database.execute("DELETE FROM tasks.history_blocks WHERE number = 2")
    assert await told(sealed) == "Seal 2 was changed or removed."


@pytest.mark.parametrize("events_too", [True, False])
async def test_an_end_that_was_cut_off_is_told_by_a_head_that_was_kept(sealed, database, events_too):
    kept = await sealed.kept()
    if events_too:
        last = (await sealed.ids())[8:]
        await database.execute("DELETE FROM tasks.task_events WHERE id IN ('" + "','".join(last) + "')")
    await database.execute("DELETE FROM tasks.history_blocks WHERE number = 3")
    assert await told(sealed, kept) == "The end was cut off: seal 3 was kept, the last one here is 2."
    # What comes later does not grow over it.
    await sealed.write()
    await sealed.seal()
    assert await told(sealed, kept) == "Seal 3 is not the one that was kept: the chain was written anew."


async def test_rewritten_chain_is_detected_by_a_stored_head(sealed, database):
    kept = await sealed.kept()
    await database.execute("UPDATE tasks.task_events SET actor_role = 'admin'")
    await database.execute("DELETE FROM tasks.history_blocks")
    assert await sealed.seal() == 12
    await sealed.verify()  # a chain alone can't tell
    assert await told(sealed, kept) == "The end was cut off: seal 3 was kept, the last one here is 1."
    for _ in range(2):
        await sealed.write()
        await sealed.seal()
    assert await told(sealed, kept) == "Seal 3 is not the one that was kept: the chain was written anew."


async def test_the_command_says_in_one_line_that_history_is_whole(sealed, command):
    await sealed.write()
    head = await sealed.head()
    whole = "History is whole: 3 seals, 12 events, 0 of them erased, 2 not yet sealed.\n"
    assert await command("verify") == (0, whole, "")
    assert await command("verify", "--head", f"{head.number}:{head.hash.hex()}") == (0, whole, "")
    assert await command("verify", "--head", f"0:{'0' * 64}") == (0, whole, "")


async def test_the_command_says_in_one_sentence_what_is_not(sealed, command, database):
    event = (await sealed.ids())[5]
    await database.execute(f"UPDATE tasks.task_events SET action = 'purged' WHERE id = '{event}'")
    assert await command("verify") == (1, "", f"Event {event} was edited (seal 2).\n")
    status, out, err = await command("verify", "--head", f"0:{'1' * 64}")
    assert (status, out, err) == (1, "", "Seal 0 is not the one that was kept: the chain was written anew.\n")


@pytest.mark.parametrize("head", ["", "1", "1:ab", "-1:" + "0" * 64, "1:" + "g" * 64])
async def test_the_command_asks_for_a_head_as_it_was_told(command, head):
    status, _, err = await command("verify", f"--head={head}")
    assert (status, "a head is NUMBER:HASH" in err) == (2, True)


async def test_the_command_says_what_is_missing_where_it_can_not_begin(command, postgres):
    status, _, err = await command("verify", TASKS_DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert (status, err) == (1, "The database of TASKS_DATABASE_URL does not answer.\n")
    status, _, err = await command("verify", TASKS_DATABASE_URL=postgres)
    assert (status, "commands.migrate" in err) == (1, True)
