"""Columns for erasable free text of history, with salt and digest; blocks of the hash chain over history.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ERASABLE_FIELDS = "ARRAY['title', 'description', 'labels', 'external_id']"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE task_events
            ADD COLUMN free_text text,
            ADD COLUMN salt bytea,
            ADD COLUMN free_text_digest bytea,
            ADD CONSTRAINT task_events_text_with_salt CHECK ((free_text IS NULL) = (salt IS NULL))
    """)
    # The 16 random bytes of the salt come from two random UUIDs, because each UUID has six fixed bits.
    op.execute(f"""
        WITH split AS (
            SELECT
                task_id, id,
                (SELECT jsonb_object_agg(key, CASE WHEN key = ANY ({ERASABLE_FIELDS}) THEN 'null' ELSE value END)
                    FROM jsonb_each(changes)) AS changes,
                (SELECT jsonb_object_agg(key, value)::text
                    FROM jsonb_each(changes) WHERE key = ANY ({ERASABLE_FIELDS})) AS text,
                substring(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) FOR 16) AS salt
            FROM task_events
            WHERE changes ?| {ERASABLE_FIELDS}
        )
        UPDATE task_events e SET
            changes = split.changes, free_text = split.text, salt = split.salt,
            free_text_digest = sha256(split.salt || convert_to(split.text, 'UTF8'))
        FROM split WHERE e.task_id = split.task_id AND e.id = split.id
    """)  # noqa: S608 - a constant
    # The database alone sets xid, which orders the log. The service may set every other column.
    op.execute("REVOKE INSERT ON task_events FROM tasks_app")
    op.execute("""
        GRANT INSERT (
            id, task_id, owner_id, assignee_id, action, actor_id, actor_role, occurred_at, request_id, changes,
            free_text, salt, free_text_digest
        ) ON task_events TO tasks_app
    """)
    op.execute("""
        CREATE TABLE history_blocks (
            number bigint PRIMARY KEY,
            event_count bigint NOT NULL,
            total_events bigint NOT NULL,
            last_xid xid8 NOT NULL,
            last_event_id uuid NOT NULL,
            manifest bytea NOT NULL,
            previous_hash bytea NOT NULL,
            hash bytea NOT NULL,
            sealed_at timestamptz NOT NULL
        )
    """)
    # Hashes don't compress, so Postgres must not try.
    op.execute("ALTER TABLE history_blocks ALTER COLUMN manifest SET STORAGE EXTERNAL")
    op.execute("GRANT SELECT, INSERT ON history_blocks TO tasks_app")
