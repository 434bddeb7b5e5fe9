"""Rules for the migrations of the services."""

from pathlib import Path

import pytest

from chassis.database.revisions import InvalidRevision, Phase, RevisionHistory, phase_of
from tests.support.migration_lint import ACCEPTED, BASELINE, MIGRATIONS, check
from tests.support.releases import create_migrations, write_revision


@pytest.mark.parametrize("schema", MIGRATIONS)
def test_later_migrations_take_no_long_lock(schema):
    assert list(check(schema, MIGRATIONS[schema], BASELINE[schema])) == []


@pytest.mark.parametrize("schema", MIGRATIONS)
def test_migrations_have_two_branches(schema):
    """The label of the first revision is `expand`, and every revision belongs to one of the phases."""
    pending = RevisionHistory(schema, MIGRATIONS[schema]).pending(())
    assert pending[0].branch_labels == {"expand"}
    assert all(script.branch_labels == {phase_of(script)} for script in pending)


def test_accepted_findings_have_a_reason():
    assert [finding for finding, reason in ACCEPTED.items() if not reason.strip()] == []


BAD = {
    "adding-field-with-default": "ALTER TABLE notes.notes ADD COLUMN salt uuid DEFAULT gen_random_uuid()",
    "adding-foreign-key-constraint": "ALTER TABLE notes.notes ADD FOREIGN KEY (id) REFERENCES notes.other",
    "adding-not-nullable-field": "ALTER TABLE notes.notes ALTER COLUMN title SET NOT NULL",
    "adding-required-field": "ALTER TABLE notes.notes ADD COLUMN subject text NOT NULL",
    "ban-drop-column": "ALTER TABLE notes.notes DROP COLUMN title",
    "ban-concurrent-index-creation-in-transaction": "CREATE INDEX CONCURRENTLY i ON notes.notes (title)",
    "changing-column-type": "ALTER TABLE notes.notes ALTER COLUMN id TYPE numeric",
    "constraint-missing-not-valid": "ALTER TABLE notes.notes ADD CONSTRAINT c CHECK (title <> '')",
    "disallowed-unique-constraint": "ALTER TABLE notes.notes ADD UNIQUE (title)",
    "renaming-column": "ALTER TABLE notes.notes RENAME COLUMN title TO subject",
    "require-concurrent-index-creation": "CREATE INDEX i ON notes.notes (title)",
}


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    folder = create_migrations(tmp_path / "migrations")
    write_revision(folder, "0001", 'op.execute("CREATE TABLE notes.notes (id bigint PRIMARY KEY, title text)")')
    return folder


@pytest.mark.parametrize("rule", BAD)
def test_bad_migration_is_found(migrations: Path, rule: str):
    write_revision(migrations, "0002", f'op.execute("""{BAD[rule]}""")', after="0001")
    lines = list(check("notes", migrations, "0001"))
    assert any(line.startswith(f"notes 0002: {rule}: ") for line in lines), lines


def test_bad_migration_in_the_contract_phase_is_found(migrations: Path):
    """Dropping a column is the purpose of the phase. A table rewrite is not allowed in any."""
    drop, rewrite = BAD["ban-drop-column"], BAD["changing-column-type"]
    write_revision(migrations, "c1", f'op.execute("""{drop}; {rewrite}""")', contract=True, depends_on="0001")
    assert [line.split(": ")[1] for line in check("notes", migrations, "0001")] == ["changing-column-type"]


def test_good_migration_passes(migrations: Path):
    body = """
    create_index_concurrently("i", on="notes.notes (title)")
    op.execute("ALTER TABLE notes.notes ADD COLUMN subject text, ADD COLUMN size bigint NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE notes.notes ADD CONSTRAINT c CHECK (size >= 0) NOT VALID")
    op.execute("CREATE TABLE notes.tags (name text PRIMARY KEY, note bigint NOT NULL)")
    op.execute("CREATE INDEX tags_by_note ON notes.tags (note)")
    """
    write_revision(migrations, "0002", body, after="0001")
    assert list(check("notes", migrations, "0001")) == []


def test_contract_revision_needs_an_expand_revision(migrations: Path):
    """Services of older releases could not know otherwise that the schema lacks what they need."""
    write_revision(migrations, "c1", 'op.execute("DROP TABLE notes.notes")', contract=True)
    with pytest.raises(InvalidRevision, match="contract revision c1 needs exactly one expand revision in depends_on"):
        list(check("notes", migrations, "0001"))


def test_second_end_of_the_expand_branch_is_refused(migrations: Path):
    """Two developers have added a revision after the same one."""
    for revision in ("0002a", "0002b"):
        write_revision(migrations, revision, "...", after="0001")
    with pytest.raises(InvalidRevision, match="several ends"):
        RevisionHistory("notes", migrations)


def test_phases_follow_the_labels(migrations: Path):
    write_revision(migrations, "c1", "...", contract=True, depends_on="0001")
    phases = {script.revision: phase_of(script) for script in RevisionHistory("notes", migrations).pending(())}
    assert phases == {"0001": Phase.EXPAND, "c1": Phase.CONTRACT}
