"""Imports: defaults of new tasks, duplicates by external_id, undo, and idempotency keys.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE imports
            ADD COLUMN default_assignee_id uuid,
            ADD COLUMN default_labels text[] NOT NULL DEFAULT '{}',
            ADD COLUMN on_duplicate text NOT NULL DEFAULT 'fail',
            ADD COLUMN rows_updated bigint NOT NULL DEFAULT 0,
            ADD COLUMN rows_unchanged bigint NOT NULL DEFAULT 0,
            ADD COLUMN rows_skipped bigint NOT NULL DEFAULT 0,
            ADD COLUMN rows_read bigint NOT NULL GENERATED ALWAYS AS
                (rows_created + rows_updated + rows_unchanged + rows_skipped + rows_failed) STORED
    """)
    # Tasks that a dry run would have created so far. They are deleted after its end.
    op.execute("""
        CREATE TABLE import_dry_run_tasks (
            import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
            external_id text NOT NULL,
            task jsonb NOT NULL,
            PRIMARY KEY (import_id, external_id)
        )
    """)
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON import_dry_run_tasks TO tasks_app")
    op.execute("""
        CREATE TABLE import_undos (
            import_id uuid PRIMARY KEY REFERENCES imports ON DELETE CASCADE,
            actor_id uuid NOT NULL,
            actor_role text NOT NULL,
            request_id text NOT NULL,
            state text NOT NULL DEFAULT 'running',
            checkpoint uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
            deleted bigint NOT NULL DEFAULT 0,
            restored bigint NOT NULL DEFAULT 0,
            kept bigint NOT NULL DEFAULT 0,
            started_at timestamptz NOT NULL DEFAULT now(),
            finished_at timestamptz,
            last_step_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT import_undos_state_known CHECK (state IN ('running', 'succeeded'))
        )
    """)
    op.execute("CREATE INDEX import_undos_running ON import_undos (last_step_at) WHERE state = 'running'")
    # Tasks before an import changed them. A purge of the task deletes its snapshot.
    op.execute("""
        CREATE TABLE import_updates (
            import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
            task_id uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
            before jsonb NOT NULL,
            revision bigint NOT NULL,
            PRIMARY KEY (import_id, task_id)
        )
    """)
    op.execute("CREATE INDEX import_updates_of_task ON import_updates (task_id)")
    op.execute("""
        CREATE TABLE import_undo_conflicts (
            import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
            task_id uuid NOT NULL,
            reason text NOT NULL,
            PRIMARY KEY (import_id, task_id)
        )
    """)
    op.execute("GRANT SELECT, INSERT, UPDATE ON import_undos TO tasks_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON import_updates TO tasks_app")
    op.execute("GRANT SELECT, INSERT ON import_undo_conflicts TO tasks_app")
