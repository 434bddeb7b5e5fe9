"""Indexes that an upgrade builds and drops concurrently."""

import asyncio
import threading

import psycopg
import pytest
from structlog.testing import capture_logs

from chassis.database.migration_plan import MigrationError
from chassis.database.upgrade import LockRetryPolicy
from tests.integration.chassis.upgrade.release import Release
from tests.support.releases import write_revision
from tests.support.waiting import wait_until


async def test_index_after_many_revisions_waits_for_nobody(old: Release, new: Release):
    """The lock of the migration is checked before each revision, and must not leave a snapshot behind."""
    old.migrate()
    for number in range(4, 12):
        body = f'create_index_concurrently("notes_{number}", on="notes.notes (subject)")'
        write_revision(new.migrations, f"{number:04}", body, after=f"{number - 1:04}")
    async with asyncio.timeout(30):
        await asyncio.to_thread(new.migrate)
    assert new.heads() == ["0011"]


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
    new.migrate(lock_retries=LockRetryPolicy(timeout_seconds=7.0))
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
            impatient = LockRetryPolicy(timeout_seconds=0.01, pause_seconds=0.01, max_attempts=200)
            migration = threading.Thread(target=new.migrate, kwargs={"lock_retries": impatient})
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
