"""Backups that can't be made, and restores that must change nothing."""

import asyncio
import base64
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import psycopg
import pytest
from pydantic import SecretStr
from taskmanager.imports.v1 import import_pb2

import task_service.server
from chassis.testing.database import temporary_database
from tests.integration.task_service.import_calls import upload
from tests.support.database import Database

KEY = base64.b64encode(bytes(32)).decode()


def environment(database: Database, store: str, key: str = KEY) -> dict[str, str]:
    """Return the settings of a backup."""
    return {
        "AUTH_KEY_ENCRYPTION_KEY": key,
        "AUTH_PROVISION_DATABASE_URL": database.administrator_url,
        "TASKS_PROVISION_DATABASE_URL": database.administrator_url,
        "AUTH_OWNER_DATABASE_URL": database.url("auth_owner"),
        "AUTH_DATABASE_URL": database.auth_url,
        "TASKS_OWNER_DATABASE_URL": database.url("tasks_owner"),
        "TASKS_DATABASE_URL": database.tasks_url,
        "TASKS_STORE_URL": store,
    }


async def run(settings: dict[str, str], *arguments: str) -> tuple[int | None, str, str]:
    """Run `python -m deploy.backup`; return its exit status, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.backup",
        *arguments,
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
def bare(postgres):
    """An empty database. The roles are those of the tests' server."""
    with temporary_database(postgres) as url:
        yield Database(url)


@pytest.fixture
async def backup(system, sonu, database, tmp_path) -> AsyncIterator[str]:
    """Folder of a backup with one import that waits."""
    queued = await upload(system, sonu)
    assert queued.state == import_pb2.Import.STATE_QUEUED
    folder = tmp_path / "backup"
    status, _, err = await run(environment(database, system.uploads.as_uri()), "create", str(folder))
    assert (status, err) == (0, "")
    return folder


def tables(database: Database) -> list[tuple[str]]:
    return database.rows("SELECT tablename FROM pg_tables WHERE schemaname IN ('auth', 'tasks')")


async def test_waiting_import_is_restored_with_its_file(backup, database, bare, tmp_path):
    """The summary names the counts, the log of events has a new epoch, and the backup is as before."""
    store = tmp_path / "restored"
    content = set(backup.rglob("*"))
    status, out, err = await run(environment(bare, store.as_uri()), "restore", str(backup))
    assert (status, err) == (0, "")
    assert set(backup.rglob("*")) == content
    assert "1 import files" in out.splitlines()[0]
    ((import_id, size),) = bare.rows("SELECT id::text, bytes_total FROM tasks.imports WHERE state = 'queued'")
    assert (store / "uploads" / f"{import_id}.csv").stat().st_size == size
    assert bare.rows("SELECT count(*) FROM auth.users") == [(1,)]
    assert bare.rows("SELECT epoch FROM tasks.event_log") != database.rows("SELECT epoch FROM tasks.event_log")
    with psycopg.connect(bare.tasks_url) as connection:  # the privileges are there too
        assert connection.execute("SELECT count(*) FROM tasks.imports").fetchone() == (1,)


async def test_restore_does_not_change_the_backup(backup, bare, tmp_path):
    """The backup may be on a read-only file system."""
    before = sorted(backup.rglob("*"))
    status, _, err = await run(environment(bare, (tmp_path / "restored").as_uri()), "restore", str(backup))
    assert (status, err, sorted(backup.rglob("*"))) == (0, "", before)


async def process_elsewhere(system, process_queue_of, database: Database, store: str) -> None:
    """Start another task_service on a database and a store, and process all imports that wait."""
    changes = {"database_url": SecretStr(database.tasks_url), "store_url": store, "metrics_listen": None}
    async with task_service.server.run_server(system.tasks_settings.model_copy(update=changes)) as server:
        await server.is_ready.wait()
        async with process_queue_of(replace(system, tasks_target=f"127.0.0.1:{server.port}")) as process_queue:
            await process_queue()


async def test_import_in_a_copied_folder_is_processed(system, sonu, database, tmp_path, process_queue_of):
    """The copied file has another inode and time, but the same bytes."""
    await upload(system, sonu)
    copy = shutil.copytree(system.uploads, tmp_path / "copy", copy_function=shutil.copyfile)
    await process_elsewhere(system, process_queue_of, database, copy.as_uri())
    assert database.rows("SELECT state, failure_code FROM tasks.imports") == [("succeeded", None)]


async def test_restored_import_is_processed(backup, system, bare, tmp_path, process_queue_of):
    store = (tmp_path / "restored").as_uri()
    assert (await run(environment(bare, store), "restore", str(backup)))[0] == 0
    await process_elsewhere(system, process_queue_of, bare, store)
    assert bare.rows("SELECT state, failure_code FROM tasks.imports") == [("succeeded", None)]


async def test_wrong_encryption_key_stops_the_restore_first(backup, bare, tmp_path):
    """Nothing is created: no role, no schema, no file."""
    other_key = base64.b64encode(b"x" * 32).decode()
    status, _, err = await run(environment(bare, (tmp_path / "new").as_uri(), other_key), "restore", str(backup))
    assert status == 1
    assert err.startswith("error: AUTH_KEY_ENCRYPTION_KEY is not the key of this backup")
    assert len(err.splitlines()) == 1
    assert bare.rows("SELECT 1 FROM pg_namespace WHERE nspname IN ('auth', 'tasks')") == []
    assert not (tmp_path / "new").exists()


async def test_damaged_file_stops_the_restore(backup, bare, tmp_path):
    """A file is named that has the same size, but another byte."""
    (file,) = (backup / "files" / "uploads").iterdir()
    file.write_bytes(b"X" + file.read_bytes()[1:])
    status, _, err = await run(environment(bare, tmp_path.as_uri()), "restore", str(backup))
    assert (status, f"{file} has other bytes" in err) == (1, True)
    assert tables(bare) == []


async def test_missing_file_stops_the_restore(backup, bare, tmp_path):
    """A file that is missing in the backup is named."""
    (file,) = (backup / "files" / "uploads").iterdir()
    file.unlink()
    status, _, err = await run(environment(bare, tmp_path.as_uri()), "restore", str(backup))
    assert (status, f"{file} can't be read: No such file" in err) == (1, True)
    assert tables(bare) == []


async def test_damaged_dump_stops_the_restore_first(backup, bare, tmp_path):
    """Nothing is created: no schema, no file."""
    dump = backup / "database.dump"
    dump.write_bytes(dump.read_bytes()[:-200])
    status, _, err = await run(environment(bare, (tmp_path / "new").as_uri()), "restore", str(backup))
    assert (status, f"{dump} has other bytes" in err) == (1, True)
    assert bare.rows("SELECT 1 FROM pg_namespace WHERE nspname IN ('auth', 'tasks')") == []
    assert not (tmp_path / "new").exists()


async def test_failed_load_leaves_nothing_of_the_dump(backup, bare, tmp_path):
    """A view has the name of a primary key, which the load creates after all rows. Without it the restore succeeds."""
    bare.rows("CREATE SCHEMA tasks AUTHORIZATION tasks_owner; CREATE VIEW tasks.tasks_pkey AS SELECT 1")
    settings = environment(bare, tmp_path.as_uri())
    status, _, err = await run(settings, "restore", str(backup))
    cause = 'pg_restore failed: could not execute query: ERROR:  relation "tasks_pkey" already exists'
    assert (status, err) == (1, f"error: {cause}\n")
    relations = "SELECT relname FROM pg_class WHERE relnamespace::regnamespace::text IN ('auth', 'tasks')"
    assert bare.rows(relations) == [("tasks_pkey",)]
    bare.rows("DROP VIEW tasks.tasks_pkey")
    status, _, err = await run(settings, "restore", str(backup))
    assert (status, err) == (0, "")


async def test_incomplete_backup_is_refused(backup, bare, tmp_path):
    """A folder without a manifest is what a backup leaves that died."""
    (backup / "manifest.json").unlink()
    status, _, err = await run(environment(bare, tmp_path.as_uri()), "restore", str(backup))
    assert (status, err) == (1, f"error: {backup} holds no complete backup: manifest.json is missing.\n")


async def test_database_with_tables_is_refused(backup, system, database):
    """A restore never replaces data; the message says how to do it on purpose."""
    status, _, err = await run(environment(database, system.uploads.as_uri()), "restore", str(backup))
    assert status == 1
    assert "Restore into an empty database." in err


async def test_connected_service_stops_the_restore(backup, bare, tmp_path):
    """A service that runs could use the database before the restore has ended."""
    with psycopg.connect(bare.url("tasks_app")):
        status, _, err = await run(environment(bare, tmp_path.as_uri()), "restore", str(backup))
    assert (status, "A service is connected as tasks_app." in err) == (1, True)


async def test_other_schema_names_are_refused(backup, bare, tmp_path):
    """The dump creates the schemas of the backup."""
    settings = environment(bare, tmp_path.as_uri()) | {"TASKS_DATABASE_SCHEMA": "todo"}
    status, _, err = await run(settings, "restore", str(backup))
    assert (status, "must name the schemas of the backup" in err) == (1, True)
    assert tables(bare) == []


async def test_existing_folder_is_not_overwritten(database, tmp_path):
    """The old backup stays as it is."""
    status, _, err = await run(environment(database, tmp_path.as_uri()), "create", str(tmp_path))
    assert (status, err) == (1, f"error: {tmp_path} exists. Name a new folder.\n")


async def test_folder_whose_name_is_no_text_is_printed_with_escapes(system, database, tmp_path):
    """The terminal takes UTF-8 only, and the name has another byte. The backup is complete, so its status is 0."""
    settings = environment(database, system.uploads.as_uri()) | {"PYTHONIOENCODING": "utf-8:strict"}
    status, out, err = await run(settings, "create", f"{tmp_path}/friday\udcff")
    assert (status, err) == (0, "")
    assert out.startswith(f"Backed up to {tmp_path}/friday\\udcff: ")


async def test_unreachable_database_is_named_without_password(database, tmp_path):
    """The line names the variable and the cause."""
    settings = environment(database, tmp_path.as_uri())
    nowhere = "postgresql://postgres:canary@127.0.0.1:1/db"
    for name in settings:
        if name.endswith("_DATABASE_URL"):
            settings[name] = nowhere
    status, _, err = await run(settings, "create", str(tmp_path / "new"))
    assert status == 1
    assert err.startswith("error: AUTH_PROVISION_DATABASE_URL: ")
    assert "canary" not in err


async def test_changed_file_of_the_store_is_named(system, sonu, database, tmp_path):
    """A file of other bytes than the uploaded ones is an error; a file that is gone is left out."""
    await upload(system, sonu)
    (file,) = (system.uploads / "uploads").iterdir()
    file.write_bytes(b"X" + file.read_bytes()[1:])
    settings = environment(database, system.uploads.as_uri())
    status, _, err = await run(settings, "create", str(tmp_path / "first"))
    assert (status, f"uploads/{file.name} of the object store is not the one" in err) == (1, True)
    file.unlink()
    status, out, _ = await run(settings, "create", str(tmp_path / "second"))
    assert (status, "0 import files" in out) == (0, True)


@pytest.fixture
def interrupting_binaries(tmp_path):
    """Return a folder whose programs press Ctrl-C, in place of those of Postgres."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        program = folder / name
        program.write_text("#!/bin/sh\nkill -INT $PPID\nexec sleep 60\n")
        program.chmod(0o755)
    return str(folder)


async def test_unwritable_file_of_a_backup_is_named(system, database, tmp_path):
    """An error of the file system, as on a full disk, is one line."""
    folder = tmp_path / "new"
    obstacle = folder / "manifest.json.partial"
    binaries = tmp_path / "bin"
    binaries.mkdir()
    program = binaries / "pg_dump"
    program.write_text(f"#!/bin/sh\nmkdir {obstacle}\ntouch {folder / 'database.dump'}\n")
    program.chmod(0o755)
    settings = environment(database, system.uploads.as_uri()) | {"BACKUP_POSTGRES_BIN": str(binaries)}
    assert await run(settings, "create", str(folder)) == (1, "", f"error: {obstacle}: Is a directory.\n")


async def test_interrupted_backup_names_its_folder(system, database, tmp_path, interrupting_binaries):
    folder = tmp_path / "new"
    settings = environment(database, system.uploads.as_uri()) | {"BACKUP_POSTGRES_BIN": interrupting_binaries}
    interrupted = await run(settings, "create", str(folder))
    assert interrupted == (130, "", f"Interrupted. {folder} is incomplete: delete it.\n")


async def test_interrupted_restore_can_be_repeated(backup, bare, tmp_path, interrupting_binaries):
    settings = environment(bare, (tmp_path / "store").as_uri())
    status, _, err = await run(settings | {"BACKUP_POSTGRES_BIN": interrupting_binaries}, "restore", str(backup))
    assert status == 130
    assert err == "Interrupted. The restore is incomplete: repeat it before you start the services.\n"
    status, _, err = await run(settings, "restore", str(backup))
    assert (status, err) == (0, "")


async def test_upload_that_ends_meanwhile_is_left_out(system, sonu, database, tmp_path):
    """The store has received the file since the snapshot, in which its import was still being uploaded."""
    await upload(system, sonu)
    database.rows("UPDATE tasks.imports SET state = 'uploading', bytes_total = 0, sha256 = NULL")
    status, out, err = await run(environment(database, system.uploads.as_uri()), "create", str(tmp_path / "backup"))
    assert (status, err) == (0, "")
    assert "0 import files" in out
