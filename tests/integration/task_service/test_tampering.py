"""Tampering by an attacker with write access to the database: `verify` names the first difference."""

import pytest

from task_service.history.persistence.hash_chain import DIGEST_COLUMNS
from task_service.history.usecases.hash_chain import HistoryTampered
from task_service.persistence.tables import history_blocks, task_events

CHANGED_VALUES = {
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
    "revision": "revision + 100",
}
COPIED = ", ".join(
    name for name in (*DIGEST_COLUMNS, "free_text", "salt") if name not in ("id", "revision", "transaction_number")
)


async def error_of(log, trusted=None) -> str:
    """Return the message of the error that verification raises."""
    with pytest.raises(HistoryTampered) as caught:
        await log.verify(trusted)
    return str(caught.value)


async def test_unchanged_history_is_verified(sealed_log):
    await sealed_log.write()
    result = await sealed_log.verify(await sealed_log.trusted_head())
    assert (result.head, result.erased_events, result.unsealed_events) == (await sealed_log.head(), 0, 2)
    assert (result.head.number, result.head.total_events) == (3, 12)


async def test_empty_log_is_verified(log):
    assert await log.seal() == 0
    assert await log.verify(await log.trusted_head()) == (await log.head(), 0, 0)


@pytest.mark.parametrize("column", [name for name in CHANGED_VALUES if name != "id"])
async def test_edited_event_is_named(sealed_log, database, column):
    event = (await sealed_log.ids())[5]
    await database.execute(f"UPDATE tasks.task_events SET {column} = {CHANGED_VALUES[column]} WHERE id = '{event}'")
    assert await error_of(sealed_log) == f"Event {event} was edited (block 2)."


async def test_every_event_column_is_in_the_digest_or_exempt():
    reasons = {"free_text": "erasable", "salt": "erasable", "former_assignee_id": "generated from changes"}
    assert {*CHANGED_VALUES, "transaction_number"} == {*DIGEST_COLUMNS}
    assert {*DIGEST_COLUMNS, *reasons} == set(task_events.columns.keys())


async def test_first_of_several_edited_events_is_named(sealed_log, database):
    ids = await sealed_log.ids()
    await database.execute(f"UPDATE tasks.task_events SET action = 'purged' WHERE id IN ('{ids[9]}', '{ids[3]}')")
    assert await error_of(sealed_log) == f"Event {ids[3]} was edited (block 1)."


async def test_moved_log_is_found_at_its_first_event(sealed_log, database):
    """The numbers of all events and blocks are changed, and their order is not."""
    await database.execute("UPDATE tasks.task_events SET transaction_number = transaction_number + 1000")
    await database.execute("UPDATE tasks.history_blocks SET last_transaction_number = last_transaction_number + 1000")
    assert await error_of(sealed_log) == f"Event {(await sealed_log.ids())[0]} was edited (block 1)."


@pytest.mark.parametrize("index", [0, 5, 7, 11])
async def test_removed_event_is_named(sealed_log, database, index):
    event = (await sealed_log.ids())[index]
    await database.execute(f"DELETE FROM tasks.task_events WHERE id = '{event}'")
    assert await error_of(sealed_log) == f"Event {event} was removed (block {index // 4 + 1})."


async def test_event_with_a_changed_id_counts_as_removed(sealed_log, database):
    event = (await sealed_log.ids())[5]
    await database.execute(f"UPDATE tasks.task_events SET id = uuidv7() WHERE id = '{event}'")
    assert await error_of(sealed_log) == f"Event {event} was removed (block 2)."


@pytest.mark.parametrize("first", [0, 3, 10])
async def test_reordered_events_are_named(sealed_log, database, first):
    ids = await sealed_log.ids()
    one, other = ids[first], ids[first + 1]
    await database.execute(f"""
        UPDATE tasks.task_events e SET transaction_number = o.transaction_number FROM tasks.task_events o
        WHERE (e.id, o.id) IN (('{one}', '{other}'), ('{other}', '{one}'))
    """)
    assert await sealed_log.ids() != ids
    block = first // 4 + 1
    assert await error_of(sealed_log) == f"Event {one} is not at its position (block {block}): events were reordered."


async def test_event_moved_after_the_last_block_is_named(sealed_log, database):
    event = (await sealed_log.ids())[11]
    await database.execute(f"UPDATE tasks.task_events SET transaction_number = 1000000000 WHERE id = '{event}'")
    assert await error_of(sealed_log) == f"Event {event} was edited (block 3)."


@pytest.mark.parametrize("index", [0, 4, 6])
async def test_inserted_event_is_named(sealed_log, database, index):
    before = (await sealed_log.ids())[index]
    ((new,),) = await database.execute(f"""
        INSERT INTO tasks.task_events (id, transaction_number, revision, {COPIED})
        SELECT '00000000-0000-7000-8000-000000000001', transaction_number, 1000, {COPIED}
        FROM tasks.task_events WHERE id = '{before}'
        RETURNING id
    """)
    assert await error_of(sealed_log) == f"Event {new} was inserted before event {before} (block {index // 4 + 1})."


async def test_swapped_event_contents_are_found_at_the_first(sealed_log, database):
    ids = await sealed_log.ids()
    await database.execute("ALTER TABLE tasks.task_events DROP CONSTRAINT task_events_pkey")
    columns = COPIED.split(", ")
    await database.execute(f"""
        UPDATE tasks.task_events e SET ({COPIED}) = (SELECT {", ".join("o." + name for name in columns)})
        FROM tasks.task_events o WHERE (e.id, o.id) IN (('{ids[2]}', '{ids[8]}'), ('{ids[8]}', '{ids[2]}'))
    """)
    assert await error_of(sealed_log) == f"Event {ids[2]} was edited (block 1)."


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
async def test_edited_free_text_is_named(sealed_log, database, change):
    event = (await sealed_log.ids())[4]
    await database.execute(f"UPDATE tasks.task_events SET {change} WHERE id = '{event}'")
    assert event in await error_of(sealed_log)


async def test_swapped_free_text_is_found_at_the_first(sealed_log, database):
    ids = await sealed_log.ids()
    await database.execute(f"""
        UPDATE tasks.task_events e SET free_text = o.free_text, salt = o.salt FROM tasks.task_events o
        WHERE (e.id, o.id) IN (('{ids[1]}', '{ids[6]}'), ('{ids[6]}', '{ids[1]}'))
    """)
    assert await error_of(sealed_log) == f"The free text of event {ids[1]} was edited (block 1)."


async def test_erasure_keeps_the_chain_valid(sealed_log, database, command):
    trusted = await sealed_log.trusted_head()
    ((task,),) = await database.execute("SELECT task_id FROM tasks.task_events ORDER BY transaction_number, id LIMIT 1")
    await command("erase", "--task", str(task))
    assert (await sealed_log.verify(trusted)).erased_events == 2
    await command("erase", "--owner", "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e")
    assert (await sealed_log.verify(trusted)).erased_events == 12


@pytest.mark.parametrize(
    "change",
    [
        "number = 7",
        "event_count = event_count - 1",
        "event_count = -1000",
        "total_events = total_events + 1",
        "last_transaction_number = 7",
        "last_event_id = uuidv7()",
        "digest_version = 1",
        "manifest = substring(manifest FOR octet_length(manifest) - 48)",
        "manifest = set_byte(manifest, 60, 255 - get_byte(manifest, 60))",
        "previous_hash = sha256(previous_hash)",
        "hash = sha256(hash)",
        "sealed_at = sealed_at - interval '1 microsecond'",
    ],
)
async def test_changed_block_is_named(sealed_log, database, change):
    await database.execute(f"UPDATE tasks.history_blocks SET {change} WHERE number = 2")
    assert (await error_of(sealed_log)).startswith("Block 2 was changed")


async def test_every_block_column_is_changed_by_the_test_above():
    (parameters,) = [mark for mark in test_changed_block_is_named.pytestmark if mark.name == "parametrize"]
    assert {value.split(" = ")[0] for value in parameters.args[1]} == set(history_blocks.columns.keys())


async def test_removed_block_is_named(sealed_log, database):
    await database.execute("DELETE FROM tasks.history_blocks WHERE number = 2")
    assert await error_of(sealed_log) == "Block 2 was changed or removed."


@pytest.mark.parametrize("with_events", [True, False])
async def test_trusted_head_shows_that_the_end_was_cut_off(sealed_log, database, with_events):
    trusted = await sealed_log.trusted_head()
    if with_events:
        last = (await sealed_log.ids())[8:]
        await database.execute("DELETE FROM tasks.task_events WHERE id IN ('" + "','".join(last) + "')")
    await database.execute("DELETE FROM tasks.history_blocks WHERE number = 3")
    assert (
        await error_of(sealed_log, trusted) == "The end was cut off: the trusted head is block 3, the last block is 2."
    )
    # A new block with the same number has another hash.
    await sealed_log.write()
    await sealed_log.seal()
    assert await error_of(sealed_log, trusted) == "Block 3 does not match the trusted head: the chain was rewritten."


async def test_trusted_head_shows_that_the_chain_was_rewritten(sealed_log, database):
    trusted = await sealed_log.trusted_head()
    await database.execute("UPDATE tasks.task_events SET actor_role = 'admin'")
    await database.execute("DELETE FROM tasks.history_blocks")
    assert await sealed_log.seal() == 12
    await sealed_log.verify()  # the chain alone can't show it
    assert (
        await error_of(sealed_log, trusted) == "The end was cut off: the trusted head is block 3, the last block is 1."
    )
    for _ in range(2):
        await sealed_log.write()
        await sealed_log.seal()
    assert await error_of(sealed_log, trusted) == "Block 3 does not match the trusted head: the chain was rewritten."


async def test_verify_command_prints_one_line(sealed_log, command):
    await sealed_log.write()
    head = await sealed_log.head()
    output = "History is whole: 3 blocks, 12 events, 0 of them erased, 2 not yet sealed.\n"
    assert await command("verify") == (0, output, "")
    assert await command("verify", "--head", f"{head.number}:{head.hash.hex()}") == (0, output, "")
    assert await command("verify", "--head", f"0:{'0' * 64}") == (0, output, "")


async def test_verify_command_prints_the_first_difference(sealed_log, command, database):
    event = (await sealed_log.ids())[5]
    await database.execute(f"UPDATE tasks.task_events SET action = 'purged' WHERE id = '{event}'")
    assert await command("verify") == (1, "", f"Event {event} was edited (block 2).\n")
    status, out, err = await command("verify", "--head", f"0:{'1' * 64}")
    assert (status, out, err) == (1, "", "Block 0 does not match the trusted head: the chain was rewritten.\n")


@pytest.mark.parametrize("head", ["", "1", "1:ab", "-1:" + "0" * 64, "1:" + "g" * 64])
async def test_verify_command_rejects_a_malformed_head(command, head):
    status, _, err = await command("verify", f"--head={head}")
    assert (status, "use NUMBER:HASH" in err) == (2, True)


async def test_verify_command_reports_an_unusable_database(command, postgres):
    status, _, err = await command("verify", TASKS_DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert (status, err) == (1, "Can't connect to the database of TASKS_DATABASE_URL. Check the URL and Postgres.\n")
    status, _, err = await command("verify", TASKS_DATABASE_URL=postgres)
    assert (status, err) == (
        1,
        "The role of TASKS_DATABASE_URL does not find the tables. Run provision and migrate first.\n",
    )
