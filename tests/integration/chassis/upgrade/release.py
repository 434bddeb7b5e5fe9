"""Two releases with a schema of their own, on a database without tables."""

from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from chassis.database.revisions import Phase, RevisionHistory
from chassis.database.schema_check import read_schema_state
from chassis.database.schema_state import schema_problem
from chassis.database.upgrade import LockRetryPolicy, upgrade
from tests.support.database import Database

SCHEMA = "notes"
FAST = LockRetryPolicy(timeout_seconds=0.1, pause_seconds=0.05, max_attempts=200)

RENAME_EXPAND = '''
op.execute("""
    ALTER TABLE notes.notes ADD COLUMN subject text;
    CREATE FUNCTION notes.copy_title() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' OR NEW.title IS DISTINCT FROM OLD.title THEN
            NEW.subject := coalesce(NEW.title, NEW.subject);
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER copy_title BEFORE INSERT OR UPDATE ON notes.notes
        FOR EACH ROW EXECUTE FUNCTION notes.copy_title()
""")
'''
RENAME_COPY = '''
execute_in_batches("""
    UPDATE notes.notes SET subject = title
    WHERE id IN (SELECT id FROM notes.notes WHERE subject IS NULL LIMIT 10)
""")
'''
RENAME_CONTRACT = """
op.execute("DROP TRIGGER copy_title ON notes.notes; DROP FUNCTION notes.copy_title()")
op.execute("ALTER TABLE notes.notes DROP COLUMN title")
"""
CREATE = 'op.execute("CREATE TABLE notes.notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text)")'


@dataclass(frozen=True)
class Release:
    """A release: a folder of migrations, and the database that it migrates."""

    database: Database
    migrations: Path
    owner_url: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "owner_url", self.database.url(f"{SCHEMA}_owner"))

    def migrate(
        self, phase: Phase = Phase.EXPAND, lock_retries: LockRetryPolicy = FAST, until: str | None = None
    ) -> None:
        upgrade(
            self.owner_url,
            schema=SCHEMA,
            app_role=f"{SCHEMA}_app",
            migrations=self.migrations,
            phase=phase,
            lock_retries=lock_retries,
            until=until,
        )

    @property
    def history(self) -> RevisionHistory:
        return RevisionHistory(SCHEMA, self.migrations)

    async def problem(self) -> str | None:
        """Return the reason why a service of this release would wait."""
        state = await read_schema_state(self.database.url(f"{SCHEMA}_app"), SCHEMA)
        return schema_problem(self.history, state)

    def heads(self) -> list[str]:
        return sorted(row[0] for row in self.database.rows("SELECT version_num FROM notes.alembic_version"))

    def columns(self) -> set[str]:
        query = (
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'notes' AND table_name = 'notes'"
        )
        return {row[0] for row in self.database.rows(query)}

    def connect(self) -> psycopg.Connection:
        """Open a connection in which a test begins a long transaction."""
        return psycopg.connect(self.database.administrator_url)
