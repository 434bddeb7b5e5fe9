"""Defaults of an import's new tasks, and rows whose external_id a task has already.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE tasks.imports
            ADD COLUMN default_assignee_id uuid,
            ADD COLUMN default_labels text[] NOT NULL DEFAULT '{}',
            ADD COLUMN on_duplicate text NOT NULL DEFAULT 'fail',
            ADD COLUMN rows_updated bigint NOT NULL DEFAULT 0,
            ADD COLUMN rows_unchanged bigint NOT NULL DEFAULT 0,
            ADD COLUMN rows_skipped bigint NOT NULL DEFAULT 0,
            ADD COLUMN rows_read bigint NOT NULL GENERATED ALWAYS AS
                (rows_created + rows_updated + rows_unchanged + rows_skipped + rows_failed) STORED
    """)
    # What an import that only validates would have made so far; dropped when it has ended.
    op.execute("""
        CREATE TABLE tasks.import_seen (
            import_id uuid NOT NULL REFERENCES tasks.imports ON DELETE CASCADE,
            external_id text NOT NULL,
            task jsonb NOT NULL,
            PRIMARY KEY (import_id, external_id)
        )
    """)
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON tasks.import_seen TO tasks_app")
