"""Upgrades in phases, on two synthetic releases: the second renames a column."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from textwrap import dedent

import psycopg
import pytest
from structlog.testing import capture_logs

from chassis.database.migration_plan import MigrationError, describe
from chassis.database.provision import Login, provision
from chassis.database.revisions import Phase
from chassis.database.schema_state import read_as_owner
from chassis.database.upgrade import LockPatience
from chassis.testing.database import PASSWORD, temporary_database
from tests.integration.chassis.upgrades import CREATE, RENAME_CONTRACT, RENAME_COPY, RENAME_EXPAND, SCHEMA, Release
from tests.support.database import Database
from tests.support.releases import create_migrations, write_revision
from tests.support.waiting import until, wait_until

CONTRACTED = "schema notes was contracted by a newer release: start a release with revision 0003 or newer"


@pytest.fixture
def empty_database(postgres):
    """A database with the roles and an empty schema."""
    with temporary_database(postgres) as url:
        database = Database(url)
        owner, app = (Login("DATABASE_URL", f"{SCHEMA}_{role}", PASSWORD) for role in ("owner", "app"))
        provision(administrator_url=url, owner=owner, app=app, schema=SCHEMA)
        yield database


@pytest.fixture
def old(empty_database: Database, tmp_path: Path) -> Release:
    """The old release, not yet migrated."""
    migrations = create_migrations(tmp_path / "old")
    write_revision(migrations, "0001", CREATE)
    return Release(empty_database, migrations)


@pytest.fixture
def new(empty_database: Database, tmp_path: Path) -> Release:
    """The new release, not yet migrated."""
    migrations = create_migrations(tmp_path / "new")
    write_revision(migrations, "0001", CREATE)
    write_revision(migrations, "0002", RENAME_EXPAND, after="0001")
    write_revision(migrations, "0003", RENAME_COPY, after="0002")
    write_revision(migrations, "c0001", RENAME_CONTRACT, contract=True, depends_on="0003")
    return Release(empty_database, migrations)


async def test_old_services_run_until_the_contract_phase(old: Release, new: Release):
    old.migrate()
    assert await new.problem() == "schema notes is at revision 0001 and must be at 0003: run migrate"
    old.database.rows("INSERT INTO notes.notes (title) SELECT 'n' || i FROM generate_series(1, 25) AS i")
    new.migrate()
    assert (new.heads(), new.columns()) == (["0003"], {"id", "title", "subject"})
    assert [await release.problem() for release in (old, new)] == [None, None]
    assert old.database.rows("SELECT count(*) FROM notes.notes WHERE subject IS DISTINCT FROM title") == [(0,)]
    new.migrate(Phase.CONTRACT)
    assert new.columns() == {"id", "subject"}
    assert [await release.problem() for release in (old, new)] == [CONTRACTED, None]
    new.migrate()
    new.migrate(Phase.CONTRACT)


async def test_later_release_expands_a_contracted_schema(new: Release):
    """The release after the contract phase adds revisions to both branches."""
    new.migrate()
    new.migrate(Phase.CONTRACT)
    before = Release(new.database, new.migrations.parent / "before")
    new.migrations.rename(before.migrations)
    create_migrations(new.migrations)
    for file in (before.migrations / "versions").glob("*.py"):
        (new.migrations / "versions" / file.name).write_text(file.read_text())
    write_revision(new.migrations, "0004", 'op.execute("ALTER TABLE notes.notes ADD COLUMN color text")', after="0003")
    write_revision(
        new.migrations, "c0002", 'op.execute("ALTER TABLE notes.notes DROP subject")', after="c0001", depends_on="0004"
    )
    assert await new.problem() == "schema notes is at revision c0001 and must be at 0004: run migrate"
    new.migrate()
    assert (await before.problem(), await new.problem()) == (None, None)
    new.migrate(Phase.CONTRACT)
    assert new.columns() == {"id", "color"}
    assert await new.problem() is None
    assert "start a release with revision 0004 or newer" in str(await before.problem())


async def test_new_schema_runs_both_phases_at_once(new: Release):
    """No service of an older release can be there."""
    assert await new.problem() == "schema notes is not migrated and must be at 0003: run migrate"
    new.migrate()
    assert new.columns() == {"id", "subject"}
    assert await new.problem() is None


def test_contract_before_expand_is_refused(old: Release, new: Release):
    old.migrate()
    new.migrate(until="0002")
    with pytest.raises(MigrationError, match="the expand phase of schema notes is not complete: revision 0003 has not"):
        new.migrate(Phase.CONTRACT)
    assert new.columns() == {"id", "title", "subject"}


def test_migrate_of_an_older_release_changes_nothing(old: Release, new: Release):
    """A rollback to the old release runs its migrate: it succeeds until the contract phase has run."""
    old.migrate()
    new.migrate()
    old.migrate()
    assert new.heads() == ["0003"]
    with pytest.raises(MigrationError, match="run migrate --contract of that release"):
        old.migrate(Phase.CONTRACT)
    new.migrate(Phase.CONTRACT)
    with pytest.raises(MigrationError, match=CONTRACTED):
        old.migrate()


def test_expand_that_needs_a_contract_revision_is_refused(old: Release, new: Release):
    old.migrate()
    write_revision(
        new.migrations, "0004", 'op.execute("ALTER TABLE notes.notes ADD title int")', after="0003", depends_on="c0001"
    )
    with pytest.raises(MigrationError, match="revision 0004 of schema notes needs contract revision c0001"):
        new.migrate()
    assert new.heads() == ["0001"]


def test_plan_prints_both_phases_and_changes_nothing(old: Release, new: Release):
    old.migrate()

    def snapshot() -> list[tuple[object, ...]]:
        relations = old.database.rows("SELECT oid, relname, xmin::text FROM pg_class ORDER BY oid")
        return [*relations, *old.database.rows("SELECT version_num, xmin::text FROM notes.alembic_version")]

    before = snapshot()
    with psycopg.connect(new.owner_url, autocommit=True) as connection:
        lines = "\n".join(describe(new.history, read_as_owner(connection, SCHEMA)))
    assert snapshot() == before
    expected = [
        "-- Schema notes is at revision 0001.",
        "-- Phase expand: 2 revisions.",
        "ADD COLUMN subject text",
        "UPDATE notes.notes SET subject = title",
        "-- Phase contract: 1 revision.",
        "when all services are of a release with revision 0003 or newer",
        "DROP COLUMN title",
    ]
    places = [lines.find(each) for each in expected]
    assert -1 not in places
    assert places == sorted(places)


async def test_lock_of_a_long_transaction_repeats_one_revision(old: Release, new: Release):
    """Revisions before it stay. Others read meanwhile, and the migration ends when it gets the lock."""
    old.migrate()
    write_revision(new.migrations, "0004", 'op.execute("ALTER TABLE notes.notes ADD color text")', after="0003")
    new.migrate(until="0003")
    with capture_logs() as logs:
        with old.connect() as reader:
            reader.execute("SELECT count(*) FROM notes.notes")
            migration = asyncio.create_task(asyncio.to_thread(new.migrate))
            await until(lambda: sum(line["event"] == "a lock is not free, trying again" for line in logs) >= 3)
            assert new.heads() == ["0003"]
            with psycopg.connect(old.database.administrator_url, options="-c statement_timeout=2s") as other:
                other.execute("SELECT count(*) FROM notes.notes")
        await migration
    assert new.heads() == ["0004"]
    assert {line.get("revision") for line in logs if "lock" in line["event"]} == {"0004"}


def test_lock_that_is_never_free_ends_the_migration(old: Release, new: Release):
    old.migrate()
    with old.connect() as reader:
        reader.execute("SELECT count(*) FROM notes.notes")
        with pytest.raises(MigrationError, match="revision 0002: no lock in 2 attempts"):
            new.migrate(patience=LockPatience(timeout_seconds=0.05, pause_seconds=0.01, max_attempts=2))
    assert new.heads() == ["0001"]


def test_failed_revision_is_one_line_and_keeps_the_others(old: Release, new: Release):
    old.migrate()
    write_revision(new.migrations, "0004", 'op.execute("ALTER TABLE notes.nothing ADD x int")', after="0003")
    with pytest.raises(MigrationError) as failure:
        new.migrate()
    assert str(failure.value) == 'revision 0004: relation "notes.nothing" does not exist'
    assert new.heads() == ["0003"]


async def test_concurrent_migrations_take_turns(old: Release, new: Release):
    """One waits for the other without a snapshot, on which the other's concurrent index would wait."""
    old.migrate()
    write_revision(
        new.migrations,
        "0004",
        'create_index_concurrently("notes_by_subject", on="notes.notes (subject)")',
        after="0003",
    )
    with capture_logs() as logs:
        with old.connect() as reader:
            reader.execute("SELECT count(*) FROM notes.notes")
            migrations = [asyncio.create_task(asyncio.to_thread(new.migrate)) for _ in range(2)]
            await until(lambda: any(line["event"].startswith("waiting for another migration") for line in logs))
        async with asyncio.timeout(30):
            await asyncio.gather(*migrations)
    applied = [line["revision"] for line in logs if line["event"] == "revision applied"]
    assert applied == ["0002", "0003", "0004"]


async def test_index_after_many_revisions_waits_for_nobody(old: Release, new: Release):
    """The lock of the migration is checked before each revision, and must not leave a snapshot behind."""
    old.migrate()
    for number in range(4, 12):
        body = f'create_index_concurrently("notes_{number}", on="notes.notes (subject)")'
        write_revision(new.migrations, f"{number:04}", body, after=f"{number - 1:04}")
    async with asyncio.timeout(30):
        await asyncio.to_thread(new.migrate)
    assert new.heads() == ["0011"]


MIGRATE = dedent("""
    import sys
    from pathlib import Path
    from chassis.database.upgrade import upgrade
    upgrade(sys.argv[1], schema="notes", app_role="notes_app", migrations=Path(sys.argv[2]))
""")


def test_killed_migration_is_repeated(old: Release, new: Release):
    """It is killed while its second revision waits for a lock. A repeated run finishes its work."""
    old.migrate()
    write_revision(new.migrations, "0004", 'op.execute("ALTER TABLE notes.notes ADD color text")', after="0003")
    new.migrate(until="0003")
    with old.connect() as reader:
        reader.execute("SELECT count(*) FROM notes.notes")
        process = subprocess.Popen([sys.executable, "-c", MIGRATE, new.owner_url, str(new.migrations)])
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE%%'"
        wait_until(lambda: bool(old.database.rows(waiting)))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert new.heads() == ["0003"]
    new.migrate()
    assert new.heads() == ["0004"]


def test_statement_of_a_killed_migration_ends(old: Release, new: Release):
    """Otherwise it would hold its locks until its work is done."""
    old.migrate()
    write_revision(new.migrations, "0004", 'op.execute("SELECT pg_sleep(120)")', after="0003")
    process = subprocess.Popen([sys.executable, "-c", MIGRATE, new.owner_url, str(new.migrations)])
    running = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(120)%%'"
    wait_until(lambda: bool(old.database.rows(running)))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not old.database.rows(running), seconds=20)


def test_unfinished_concurrent_index_is_built_again(old: Release, new: Release):
    """A unique index over duplicates fails and stays as an invalid index. After the repair migrate replaces it."""
    old.migrate()
    body = 'create_index_concurrently("one_title", on="notes.notes (title)", unique=True)'
    write_revision(new.migrations, "0004", body, after="0003")
    old.database.rows("INSERT INTO notes.notes (title) VALUES ('a'), ('a')")
    with pytest.raises(MigrationError, match='revision 0004: could not create unique index "one_title"'):
        new.migrate()
    is_valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'notes.one_title'::regclass"
    assert old.database.rows(is_valid) == [(False,)]
    old.database.rows("DELETE FROM notes.notes WHERE id = 2")
    new.migrate()
    assert old.database.rows(is_valid) == [(True,)]
    assert new.heads() == ["0004"]


def test_failed_index_restores_the_lock_timeout(old: Release, new: Release):
    """A revision that goes on after the failure waits for locks no longer than before."""
    old.migrate()
    body = """
from sqlalchemy.exc import IntegrityError
try:
    create_index_concurrently("one_title", on="notes.notes (title)", unique=True)
except IntegrityError:
    op.execute("INSERT INTO notes.notes (title) VALUES (current_setting('lock_timeout'))")
"""
    write_revision(new.migrations, "0004", body, after="0003")
    old.database.rows("INSERT INTO notes.notes (title) VALUES ('a'), ('a')")
    new.migrate(patience=LockPatience(timeout_seconds=7.0))
    assert old.database.rows("SELECT title FROM notes.notes ORDER BY id DESC LIMIT 1") == [("7s",)]


def test_writers_go_on_while_an_index_is_built(old: Release, new: Release):
    """The build waits for an older transaction, for longer than other statements. Meanwhile others write."""
    old.migrate()
    body = 'create_index_concurrently("notes_by_title", on="notes.notes (title)")'
    write_revision(new.migrations, "0004", body, after="0003")
    new.migrate(until="0003")
    with capture_logs() as logs:
        with old.connect() as writer:
            writer.execute("INSERT INTO notes.notes (title) VALUES ('long')")
            impatient = LockPatience(timeout_seconds=0.01, pause_seconds=0.01, max_attempts=200)
            migration = threading.Thread(target=new.migrate, kwargs={"patience": impatient})
            migration.start()
            building = "SELECT 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%%'"
            wait_until(lambda: bool(old.database.rows(building)))
            with psycopg.connect(old.database.administrator_url, options="-c lock_timeout=2s") as other:
                other.execute("INSERT INTO notes.notes (title) VALUES ('other')")
        migration.join()
    assert new.heads() == ["0004"]
    assert [line["event"] for line in logs if line["event"] != "revision applied"] == []


def test_index_is_dropped_concurrently(old: Release, new: Release):
    old.migrate()
    write_revision(new.migrations, "0004", 'create_index_concurrently("one", on="notes (title)")', after="0003")
    write_revision(new.migrations, "0005", 'drop_index_concurrently("one")', after="0004")
    new.migrate(until="0004")
    assert old.database.rows("SELECT to_regclass('notes.one') IS NULL") == [(False,)]
    new.migrate()
    assert old.database.rows("SELECT to_regclass('notes.one') IS NULL") == [(True,)]


def test_batches_commit_one_by_one(old: Release, new: Release):
    """Twenty-five rows in batches of ten: three transactions."""
    old.migrate()
    old.database.rows("INSERT INTO notes.notes (title) SELECT 'n' || i FROM generate_series(1, 25) AS i")
    new.migrate()
    assert old.database.rows("SELECT count(DISTINCT xmin::text) FROM notes.notes") == [(3,)]
