"""Uploads, cancels and undos that are safe to repeat."""

import asyncio

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from tests.integration.task_service.calls import create
from tests.integration.task_service.import_calls import END, FILE, batch, get, messages, refused, upload

REUSED = (grpc.StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED")


async def once(system, person, data: bytes = FILE, *, key: str = "k", **options) -> import_pb2.Import:
    return await upload(system, person, data, allow_same_file=False, idempotency_key=key, **options)


async def cancel(system, person, import_id: str, key: str) -> import_pb2.Import:
    request = import_service_pb2.CancelImportRequest(id=import_id, idempotency_key=key)
    return await system.imports.CancelImport(request, metadata=person.metadata)


async def undo(system, person, import_id: str, key: str) -> import_pb2.Import:
    request = import_service_pb2.UndoImportRequest(id=import_id, idempotency_key=key)
    return await system.imports.UndoImport(request, metadata=person.metadata)


def stored(system) -> int:
    return len(list(system.uploads.rglob("*.csv*")))


async def test_the_same_upload_again_is_answered_with_the_import_as_it_is_by_then(system, worker, database):
    sonu = await system.new_user("sonu")
    first = await once(system, sonu)
    assert await once(system, sonu) == first
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], size=5), END)
    again = await once(system, sonu)
    assert again == await get(system, sonu, first.id)
    assert again.state == import_pb2.Import.STATE_SUCCEEDED
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(1,)]
    assert stored(system) == 1


async def test_whoever_may_not_see_an_import_any_more_is_not_shown_it_for_their_old_key_either(system, database):
    mina = await system.new_user("mina")
    await system.new_user("mo")
    await database.execute("UPDATE auth.users SET role = 'manager' WHERE username = 'mo'")
    manager = await system.login("mo@example.com")
    first = await once(system, manager, owner_id=mina.id)
    assert await once(system, manager, owner_id=mina.id) == first
    await database.execute("UPDATE auth.users SET role = 'user' WHERE username = 'mo'")
    user = await system.login("mo@example.com")
    not_found = (grpc.StatusCode.NOT_FOUND, "IMPORT_NOT_FOUND")
    assert (await refused(once(system, user, owner_id=mina.id)))[:2] == not_found
    assert (await get(system, mina, first.id)).state == import_pb2.Import.STATE_QUEUED


async def test_twenty_twins_at_once_make_one_import_and_store_nothing_more(system, database):
    sonu = await system.new_user("sonu")
    answers = await asyncio.gather(*(once(system, sonu) for _ in range(20)))
    assert len({answer.id for answer in answers}) == 1
    assert await database.execute("SELECT count(*), min(state) FROM tasks.imports") == [(1, "queued")]
    assert stored(system) == 1


@pytest.mark.parametrize("options", [{"data": FILE + b"More;;\n"}, {"max_errors": 1}, {"file_name": "other.csv"}])
async def test_another_file_or_other_options_under_the_key_are_refused_and_nothing_is_kept(system, database, options):
    sonu = await system.new_user("sonu")
    await once(system, sonu)
    assert (await refused(once(system, sonu, **options)))[:2] == REUSED
    answers = await asyncio.gather(
        *(once(system, sonu, FILE + bytes([65 + number % 2]) + b";;\n", key="new") for number in range(10)),
        return_exceptions=True,
    )
    assert len({answer.id for answer in answers if isinstance(answer, import_pb2.Import)}) == 1
    assert sum(isinstance(answer, import_pb2.Import) for answer in answers) == 5
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(2,)]
    assert stored(system) == 2


async def test_the_key_of_a_task_is_none_for_an_import_and_each_caller_has_their_own(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    await create(system, sonu, title="x", key="k")
    assert (await refused(once(system, sonu)))[:2] == REUSED
    first = await once(system, mina)
    assert (await refused(create(system, mina, title="x", key="k")))[:2] == REUSED
    assert (await once(system, sonu, key="l")).id != first.id


async def test_the_same_file_under_another_key_is_still_the_same_file(system):
    sonu = await system.new_user("sonu")
    await once(system, sonu)
    assert (await refused(once(system, sonu, key="other")))[1] == "DUPLICATE_FILE"


async def test_what_failed_leaves_no_key(system, database):
    sonu = await system.new_user("sonu")
    assert (await refused(once(system, sonu, b"name\nx\n")))[1] == "MISSING_TITLE_COLUMN"
    unfinished = messages(FILE, finish=False, idempotency_key="k")
    assert (await refused(system.imports.UploadImport(unfinished, metadata=sonu.metadata)))[1] == "UPLOAD_INCOMPLETE"
    # In the last statement of the transaction, and nowhere else: other loops of the service write to that table too.
    await database.execute("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON tasks.imports FOR EACH ROW
        WHEN (OLD.state = 'uploading' AND NEW.state = 'queued') EXECUTE FUNCTION refuse()
    """)
    assert (await refused(once(system, sonu)))[0] is grpc.StatusCode.INTERNAL
    await database.execute("DROP TRIGGER refuse ON tasks.imports")
    assert await database.execute("SELECT count(*) FROM tasks.idempotency_keys") == [(0,)]
    assert (await once(system, sonu)).state == import_pb2.Import.STATE_QUEUED


async def test_an_upload_that_broke_off_is_no_repeat_even_under_a_key_that_was_used(system):
    sonu = await system.new_user("sonu")
    await once(system, sonu)
    unfinished = messages(FILE, finish=False, idempotency_key="k")
    assert (await refused(system.imports.UploadImport(unfinished, metadata=sonu.metadata)))[1] == "UPLOAD_INCOMPLETE"


async def test_after_a_day_the_key_is_new(system, database):
    sonu = await system.new_user("sonu")
    first = await once(system, sonu)
    await database.execute("UPDATE tasks.idempotency_keys SET created_at = now() - interval '25 hours'")
    other = await once(system, sonu, FILE + b"More;;\n")
    assert other.id != first.id
    assert await once(system, sonu, FILE + b"More;;\n") == other


async def test_a_key_that_is_none_is_refused_before_a_byte_is_stored(system, database):
    sonu = await system.new_user("sonu")
    assert (await refused(once(system, sonu, key="a b")))[:2] == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_IDEMPOTENCY_KEY",
    )
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]


async def test_cancels_and_undos_are_answered_as_the_first_time_and_their_keys_mean_one_import(system, database):
    sonu = await system.new_user("sonu")
    first, second = await once(system, sonu, key=""), await once(system, sonu, FILE + b"More;;\n", key="")
    answers = await asyncio.gather(*(cancel(system, sonu, first.id, "c") for _ in range(10)))
    assert {answer.state for answer in answers} == {import_pb2.Import.STATE_CANCELLED}
    assert (await refused(cancel(system, sonu, second.id, "c")))[:2] == REUSED
    assert (await get(system, sonu, second.id)).state == import_pb2.Import.STATE_QUEUED
    undone = await asyncio.gather(*(undo(system, sonu, first.id, "u") for _ in range(10)))
    assert {answer.id for answer in undone} == {first.id}
    assert (await refused(undo(system, sonu, first.id, "c")))[:2] == REUSED
    assert (await refused(undo(system, sonu, second.id, "v")))[1] == "IMPORT_NOT_ENDED"
    assert await database.execute("SELECT key FROM tasks.idempotency_keys ORDER BY key") == [("c",), ("u",)]
    assert await database.execute("SELECT count(*) FROM tasks.import_undos") == [(1,)]
