"""Upgrades in phases: services of both releases run until the contract phase."""

import psycopg
import pytest

from chassis.database.migration_plan import MigrationError, describe
from chassis.database.revisions import Phase
from chassis.database.schema_state import read_as_owner
from tests.integration.chassis.upgrade.release import SCHEMA, Release
from tests.support.releases import create_migrations, write_revision

CONTRACTED = "schema notes was contracted by a newer release: start a release with revision 0003 or newer"


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
