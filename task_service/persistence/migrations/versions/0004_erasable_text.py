"""The free text of history stands apart, salted and hashed, so that it can be erased; seals over history.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

FREE_TEXT = "ARRAY['title', 'description', 'labels', 'external_id']"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE tasks.task_events
            ADD COLUMN free_text text,
            ADD COLUMN salt bytea,
            ADD COLUMN free_text_digest bytea,
            ADD CONSTRAINT task_events_text_with_salt CHECK ((free_text IS NULL) = (salt IS NULL))
    """)
    # The salt's sixteen random bytes come from two random UUIDs: each alone has six bits that are none.
    op.execute(f"""
        WITH split AS (
            SELECT
                task_id, id,
                (SELECT jsonb_object_agg(key, CASE WHEN key = ANY ({FREE_TEXT}) THEN 'null' ELSE value END)
                    FROM jsonb_each(changes)) AS changes,
                (SELECT jsonb_object_agg(key, value)::text
                    FROM jsonb_each(changes) WHERE key = ANY ({FREE_TEXT})) AS text,
                substring(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) FOR 16) AS salt
            FROM tasks.task_events
            WHERE changes ?| {FREE_TEXT}
        )
        UPDATE tasks.task_events e SET
            changes = split.changes, free_text = split.text, salt = split.salt,
            free_text_digest = sha256(split.salt || convert_to(split.text, 'UTF8'))
        FROM split WHERE e.task_id = split.task_id AND e.id = split.id
    """)  # noqa: S608 - a constant
    # Where a row stands in the log is the database's to say: the service may name every column but xid.
    op.execute("REVOKE INSERT ON tasks.task_events FROM tasks_app")
    op.execute("""
        GRANT INSERT (
            id, task_id, owner_id, assignee_id, action, actor_id, actor_role, occurred_at, request_id, changes,
            free_text, salt, free_text_digest
        ) ON tasks.task_events TO tasks_app
    """)
    op.execute("""
        CREATE TABLE tasks.history_blocks (
            number bigint PRIMARY KEY,
            events bigint NOT NULL,
            events_in_all bigint NOT NULL,
            last_xid xid8 NOT NULL,
            last_id uuid NOT NULL,
            manifest bytea NOT NULL,
            hash_before bytea NOT NULL,
            hash bytea NOT NULL,
            sealed_at timestamptz NOT NULL
        )
    """)
    # Hashes don't compress: trying to would be all that is gained.
    op.execute("ALTER TABLE tasks.history_blocks ALTER COLUMN manifest SET STORAGE EXTERNAL")
    op.execute("GRANT SELECT, INSERT ON tasks.history_blocks TO tasks_app")
