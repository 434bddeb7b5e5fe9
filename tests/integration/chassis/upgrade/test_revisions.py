"""Revisions of an upgrade: each one waits for its locks, and commits for itself."""

import asyncio
import os
import signal
import subprocess
import sys
from textwrap import dedent

import psycopg
import pytest
from structlog.testing import capture_logs

from chassis.database.migration_plan import MigrationError
from chassis.database.upgrade import LockRetryPolicy
from tests.integration.chassis.upgrade.release import Release
from tests.support.releases import write_revision
from tests.support.waiting import until, wait_until


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
            new.migrate(lock_retries=LockRetryPolicy(timeout_seconds=0.05, pause_seconds=0.01, max_attempts=2))
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


def test_batches_commit_one_by_one(old: Release, new: Release):
    """Twenty-five rows in batches of ten: three transactions."""
    old.migrate()
    old.database.rows("INSERT INTO notes.notes (title) SELECT 'n' || i FROM generate_series(1, 25) AS i")
    new.migrate()
    assert old.database.rows("SELECT count(DISTINCT xmin::text) FROM notes.notes") == [(3,)]
