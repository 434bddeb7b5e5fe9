"""Refreshing and ending sessions, and the log of security events.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE sessions ADD COLUMN used_at timestamptz, ADD COLUMN ended_at timestamptz;
        UPDATE sessions SET used_at = created_at;
        ALTER TABLE sessions ALTER COLUMN used_at SET NOT NULL;
        DROP INDEX sessions_by_user;
        CREATE INDEX sessions_by_user ON sessions (user_id, id);
        CREATE INDEX sessions_by_expiry ON sessions (expires_at);

        CREATE TABLE refresh_tokens (
            digest     bytea       CONSTRAINT refresh_tokens_pkey PRIMARY KEY
                       CONSTRAINT refresh_tokens_digest_is_sha256 CHECK (length(digest) = 32),
            session_id uuid        NOT NULL
                       CONSTRAINT refresh_tokens_session_exists REFERENCES sessions ON DELETE CASCADE,
            expires_at timestamptz NOT NULL,
            spent_at   timestamptz
        );
        CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
        COMMENT ON TABLE refresh_tokens IS
            'Spent tokens stay as long as their session: a spent token that is sent again reveals a theft';

        CREATE INDEX revocations_by_expiry ON revocations (expires_at);

        CREATE TABLE security_events (
            id          uuid        CONSTRAINT security_events_pkey PRIMARY KEY,
            occurred_at timestamptz NOT NULL,
            kind        text        NOT NULL,
            actor_id    uuid,
            subject_id  uuid,
            request_id  text        NOT NULL,
            details     jsonb       NOT NULL
        );
        CREATE INDEX security_events_by_subject ON security_events (subject_id, id);
        COMMENT ON TABLE security_events IS
            'Append-only. Holds no names, no secrets and no client input: accounts appear by their ids';
    """)
    op.execute("""
        GRANT UPDATE (used_at, ended_at), DELETE ON sessions TO auth_app;
        GRANT SELECT, INSERT, UPDATE (spent_at) ON refresh_tokens TO auth_app;
        GRANT DELETE ON revocations TO auth_app;
        GRANT UPDATE (epoch) ON users TO auth_app;
        GRANT SELECT, INSERT ON security_events TO auth_app;
    """)


def downgrade() -> None:
    op.execute("""
        DROP TABLE security_events, refresh_tokens;
        DROP INDEX revocations_by_expiry, sessions_by_expiry;
        ALTER TABLE sessions DROP COLUMN used_at, DROP COLUMN ended_at;
        REVOKE UPDATE (epoch) ON users FROM auth_app;
        REVOKE DELETE ON sessions, revocations FROM auth_app;
    """)
