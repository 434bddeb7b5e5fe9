"""Idempotency keys of uploads, cancels and undos."""

import asyncio

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from tests.integration.task_service.calls import create
from tests.integration.task_service.import_calls import END, FILE, batch, get, messages, upload
from tests.support.grpc_calls import refused

REUSED = (grpc.StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED")


async def upload_once(system, user, data: bytes = FILE, *, key: str = "k", **options) -> import_pb2.Import:
    return await upload(system, user, data, allow_same_file=False, idempotency_key=key, **options)


async def cancel(system, user, import_id: str, key: str) -> import_pb2.Import:
    request = import_service_pb2.CancelImportRequest(id=import_id, idempotency_key=key)
    return await system.imports.CancelImport(request, metadata=user.metadata)


async def undo(system, user, import_id: str, key: str) -> import_pb2.Import:
    request = import_service_pb2.UndoImportRequest(id=import_id, idempotency_key=key)
    return await system.imports.UndoImport(request, metadata=user.metadata)


def stored_files(system) -> int:
    return len(list(system.uploads.rglob("*.csv*")))


async def test_repeated_upload_returns_the_current_import(system, worker, database):
    sonu = await system.new_user("sonu")
    first = await upload_once(system, sonu)
    assert await upload_once(system, sonu) == first
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], size=5), END)
    again = await upload_once(system, sonu)
    assert again == await get(system, sonu, first.id)
    assert again.state == import_pb2.Import.STATE_SUCCEEDED
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(1,)]
    assert stored_files(system) == 1


async def test_replay_hides_an_import_that_became_invisible(system, database):
    mina = await system.new_user("mina")
    await system.new_user("mo")
    await database.execute("UPDATE auth.users SET role = 'manager' WHERE username = 'mo'")
    manager = await system.login("mo@example.com")
    first = await upload_once(system, manager, owner_id=mina.id)
    assert await upload_once(system, manager, owner_id=mina.id) == first
    await database.execute("UPDATE auth.users SET role = 'user' WHERE username = 'mo'")
    user = await system.login("mo@example.com")
    not_found = (grpc.StatusCode.NOT_FOUND, "IMPORT_NOT_FOUND")
    status = await refused(upload_once(system, user, owner_id=mina.id))
    assert (status.code, status.reason) == not_found
    assert (await get(system, mina, first.id)).state == import_pb2.Import.STATE_QUEUED


async def test_concurrent_uploads_with_one_key_store_one_file(system, database):
    sonu = await system.new_user("sonu")
    imports = await asyncio.gather(*(upload_once(system, sonu) for _ in range(20)))
    assert len({found.id for found in imports}) == 1
    assert await database.execute("SELECT count(*), min(state) FROM tasks.imports") == [(1, "queued")]
    assert stored_files(system) == 1


@pytest.mark.parametrize("options", [{"data": FILE + b"More;;\n"}, {"max_errors": 1}, {"file_name": "other.csv"}])
async def test_key_with_another_file_or_options_is_refused(system, database, options):
    sonu = await system.new_user("sonu")
    await upload_once(system, sonu)
    status = await refused(upload_once(system, sonu, **options))
    assert (status.code, status.reason) == REUSED
    imports = await asyncio.gather(
        *(upload_once(system, sonu, FILE + bytes([65 + number % 2]) + b";;\n", key="new") for number in range(10)),
        return_exceptions=True,
    )
    assert len({found.id for found in imports if isinstance(found, import_pb2.Import)}) == 1
    assert sum(isinstance(found, import_pb2.Import) for found in imports) == 5
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(2,)]
    assert stored_files(system) == 2


async def test_keys_are_separate_for_each_caller_and_kind(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    await create(system, sonu, title="x", key="k")
    status = await refused(upload_once(system, sonu))
    assert (status.code, status.reason) == REUSED
    first = await upload_once(system, mina)
    status = await refused(create(system, mina, title="x", key="k"))
    assert (status.code, status.reason) == REUSED
    assert (await upload_once(system, sonu, key="l")).id != first.id


async def test_same_file_under_another_key_is_a_duplicate(system):
    sonu = await system.new_user("sonu")
    await upload_once(system, sonu)
    assert (await refused(upload_once(system, sonu, key="other"))).reason == "DUPLICATE_FILE"


async def test_failed_upload_stores_no_key(system, database):
    sonu = await system.new_user("sonu")
    assert (await refused(upload_once(system, sonu, b"label\nx\n"))).reason == "MISSING_TITLE_COLUMN"
    unfinished = messages(FILE, finish=False, idempotency_key="k")
    assert (
        await refused(system.imports.UploadImport(unfinished, metadata=sonu.metadata))
    ).reason == "UPLOAD_INCOMPLETE"
    # Only the last statement of the transaction fails. Background tasks of the service write to the same table.
    await database.execute("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON tasks.imports FOR EACH ROW
        WHEN (OLD.state = 'uploading' AND NEW.state = 'queued') EXECUTE FUNCTION refuse()
    """)
    assert (await refused(upload_once(system, sonu))).code is grpc.StatusCode.INTERNAL
    await database.execute("DROP TRIGGER refuse ON tasks.imports")
    assert await database.execute("SELECT count(*) FROM tasks.idempotency_keys") == [(0,)]
    assert (await upload_once(system, sonu)).state == import_pb2.Import.STATE_QUEUED


async def test_interrupted_upload_is_not_a_replay(system):
    sonu = await system.new_user("sonu")
    await upload_once(system, sonu)
    unfinished = messages(FILE, finish=False, idempotency_key="k")
    assert (
        await refused(system.imports.UploadImport(unfinished, metadata=sonu.metadata))
    ).reason == "UPLOAD_INCOMPLETE"


async def test_key_can_be_reused_after_a_day(system, database):
    sonu = await system.new_user("sonu")
    first = await upload_once(system, sonu)
    await database.execute("UPDATE tasks.idempotency_keys SET created_at = now() - interval '25 hours'")
    other = await upload_once(system, sonu, FILE + b"More;;\n")
    assert other.id != first.id
    assert await upload_once(system, sonu, FILE + b"More;;\n") == other


async def test_invalid_key_is_refused_before_a_byte_is_stored(system, database):
    sonu = await system.new_user("sonu")
    status = await refused(upload_once(system, sonu, key="a b"))
    assert (status.code, status.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_IDEMPOTENCY_KEY",
    )
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]


async def test_cancel_and_undo_are_replayed_by_key(system, database):
    sonu = await system.new_user("sonu")
    first, second = await upload_once(system, sonu, key=""), await upload_once(system, sonu, FILE + b"More;;\n", key="")
    imports = await asyncio.gather(*(cancel(system, sonu, first.id, "c") for _ in range(10)))
    assert {found.state for found in imports} == {import_pb2.Import.STATE_CANCELLED}
    status = await refused(cancel(system, sonu, second.id, "c"))
    assert (status.code, status.reason) == REUSED
    assert (await get(system, sonu, second.id)).state == import_pb2.Import.STATE_QUEUED
    undone = await asyncio.gather(*(undo(system, sonu, first.id, "u") for _ in range(10)))
    assert {found.id for found in undone} == {first.id}
    status = await refused(undo(system, sonu, first.id, "c"))
    assert (status.code, status.reason) == REUSED
    assert (await refused(undo(system, sonu, second.id, "v"))).reason == "IMPORT_NOT_ENDED"
    assert await database.execute("SELECT key FROM tasks.idempotency_keys ORDER BY key") == [("c",), ("u",)]
    assert await database.execute("SELECT count(*) FROM tasks.import_undos") == [(1,)]
