"""Tasks, their history, and imports.

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = ("expand",)
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE tasks (
            id uuid PRIMARY KEY,
            owner_id uuid NOT NULL,
            title text NOT NULL,
            description text NOT NULL,
            status text NOT NULL,
            priority text NOT NULL,
            due_date date,
            import_id uuid,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            completed_at timestamptz,
            deleted_at timestamptz,
            revision bigint NOT NULL,
            CONSTRAINT tasks_status_known CHECK (status IN ('pending', 'in_progress', 'completed', 'cancelled')),
            CONSTRAINT tasks_priority_known CHECK (priority IN ('none', 'low', 'medium', 'high', 'urgent'))
        )
    """)
    op.execute("CREATE INDEX tasks_by_owner ON tasks (owner_id, id)")
    op.execute("""
        CREATE TABLE task_events (
            id uuid NOT NULL,
            task_id uuid NOT NULL,
            action text NOT NULL,
            actor_id uuid NOT NULL,
            actor_role text NOT NULL,
            occurred_at timestamptz NOT NULL,
            request_id text NOT NULL,
            changes jsonb NOT NULL,
            PRIMARY KEY (task_id, id)
        )
    """)
    op.execute("""
        CREATE TABLE imports (
            id uuid PRIMARY KEY,
            owner_id uuid NOT NULL,
            actor_id uuid NOT NULL,
            actor_role text NOT NULL,
            request_id text NOT NULL,
            state text NOT NULL DEFAULT 'uploading',
            file_name text NOT NULL,
            created_at timestamptz NOT NULL,
            started_at timestamptz,
            finished_at timestamptz,
            bytes_total bigint NOT NULL DEFAULT 0,
            sha256 bytea,
            delimiter text NOT NULL DEFAULT '',
            fields text[] NOT NULL DEFAULT '{}',
            warnings text[] NOT NULL DEFAULT '{}',
            bytes_read bigint NOT NULL DEFAULT 0,
            next_line bigint NOT NULL DEFAULT 0,
            rows_created bigint NOT NULL DEFAULT 0,
            rows_failed bigint NOT NULL DEFAULT 0,
            fence bigint NOT NULL DEFAULT 0,
            lease_until timestamptz,
            worker text NOT NULL DEFAULT '',
            attempts_without_progress integer NOT NULL DEFAULT 0,
            queued_at timestamptz,
            wake_at timestamptz,
            wakes integer NOT NULL DEFAULT 0,
            failure_code text,
            failure_message text,
            failure_line bigint,
            CONSTRAINT imports_state_known
                CHECK (state IN ('uploading', 'queued', 'running', 'succeeded', 'failed', 'cancelled'))
        )
    """)
    op.execute("CREATE INDEX imports_by_owner ON imports (owner_id, id)")
    # Partial: claims and the dispatcher read only unfinished imports, which are few.
    op.execute("CREATE INDEX imports_in_motion ON imports (state) WHERE state IN ('uploading', 'queued', 'running')")
    op.execute("""
        CREATE TABLE import_errors (
            import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
            record bigint NOT NULL,
            position smallint NOT NULL,
            line bigint NOT NULL,
            "column" text NOT NULL,
            value text NOT NULL,
            code text NOT NULL,
            message text NOT NULL,
            PRIMARY KEY (import_id, record, position)
        )
    """)
    op.execute("GRANT SELECT, INSERT, UPDATE ON tasks TO tasks_app")
    # History only grows: the service itself could not change it.
    op.execute("GRANT SELECT, INSERT ON task_events TO tasks_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON imports TO tasks_app")
    op.execute("GRANT SELECT, INSERT ON import_errors TO tasks_app")
