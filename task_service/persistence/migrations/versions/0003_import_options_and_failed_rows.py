"""Options of imports, and rejected rows as received.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE imports
            ADD COLUMN validate_only boolean NOT NULL DEFAULT false,
            ADD COLUMN max_errors bigint NOT NULL DEFAULT 0,
            ADD COLUMN default_status text NOT NULL DEFAULT '',
            ADD COLUMN stored_etag text NOT NULL DEFAULT '',
            ADD COLUMN file_stored boolean NOT NULL DEFAULT true,
            ADD COLUMN encoding text NOT NULL DEFAULT 'utf-8',
            ADD COLUMN columns text[] NOT NULL DEFAULT '{}',
            ADD COLUMN progressed_at timestamptz,
            ADD COLUMN failed_rows_kept bigint NOT NULL DEFAULT 0,
            ADD COLUMN failed_size_kept bigint NOT NULL DEFAULT 0
    """)
    op.execute("CREATE INDEX imports_of_the_same_bytes ON imports (owner_id, sha256)")
    op.execute("CREATE INDEX imports_with_a_file ON imports (finished_at) WHERE file_stored")
    op.execute("""
        CREATE TABLE import_failed_rows (
            import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
            record bigint NOT NULL,
            line bigint NOT NULL,
            cells text[] NOT NULL,
            PRIMARY KEY (import_id, record)
        )
    """)
    op.execute("GRANT SELECT, INSERT ON import_failed_rows TO tasks_app")
