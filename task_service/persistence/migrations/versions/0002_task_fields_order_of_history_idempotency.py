"""Labels, external ids, assignees, the trash; the order of commits in history; idempotency keys.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE tasks
            ADD COLUMN labels text[] NOT NULL DEFAULT '{}',
            ADD COLUMN external_id text NOT NULL DEFAULT '',
            ADD COLUMN assignee_id uuid,
            ADD COLUMN purge_at timestamptz
    """)
    op.execute("UPDATE tasks SET purge_at = deleted_at + interval '30 days' WHERE deleted_at IS NOT NULL")
    # Partial wherever most rows have nothing to say, so that an import does not pay for what it does not use.
    op.execute("""
        CREATE UNIQUE INDEX tasks_external_id_unique ON tasks (owner_id, external_id)
        WHERE deleted_at IS NULL AND external_id <> ''
    """)
    op.execute("CREATE INDEX tasks_by_assignee ON tasks (assignee_id, id) WHERE assignee_id IS NOT NULL")
    op.execute("""
        CREATE INDEX tasks_by_due_date ON tasks (owner_id, coalesce(due_date, 'infinity'::date), id)
        WHERE deleted_at IS NULL
    """)
    op.execute("CREATE INDEX tasks_to_purge ON tasks (purge_at) WHERE purge_at IS NOT NULL")
    op.execute("CREATE INDEX tasks_in_trash ON tasks (owner_id, id) WHERE deleted_at IS NOT NULL")
    op.execute("GRANT DELETE ON tasks TO tasks_app")

    op.execute("ALTER TABLE task_events ADD COLUMN owner_id uuid, ADD COLUMN assignee_id uuid")
    op.execute("UPDATE task_events e SET owner_id = t.owner_id FROM tasks t WHERE t.id = e.task_id")
    op.execute("ALTER TABLE task_events ALTER COLUMN owner_id SET NOT NULL")
    # Ids are made before their transaction commits, so they say nothing about what a reader has seen already. The
    # transaction's number does: all below pg_snapshot_xmin() are over. Rows from before get this migration's own.
    op.execute("ALTER TABLE task_events ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()")
    op.execute("CREATE INDEX task_events_in_commit_order ON task_events (xid, id)")

    op.execute("""
        CREATE TABLE idempotency_keys (
            caller_id uuid NOT NULL,
            key text NOT NULL,
            fingerprint bytea NOT NULL,
            response jsonb NOT NULL,
            created_at timestamptz NOT NULL,
            PRIMARY KEY (caller_id, key)
        )
    """)
    op.execute("CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO tasks_app")
