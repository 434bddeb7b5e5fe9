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
        ALTER TABLE auth.sessions ADD COLUMN used_at timestamptz, ADD COLUMN ended_at timestamptz;
        UPDATE auth.sessions SET used_at = created_at;
        ALTER TABLE auth.sessions ALTER COLUMN used_at SET NOT NULL;
        DROP INDEX auth.sessions_by_user;
        CREATE INDEX sessions_by_user ON auth.sessions (user_id, id);
        CREATE INDEX sessions_by_expiry ON auth.sessions (expires_at);

        CREATE TABLE auth.refresh_tokens (
            digest     bytea       CONSTRAINT refresh_tokens_pkey PRIMARY KEY
                       CONSTRAINT refresh_tokens_digest_is_sha256 CHECK (length(digest) = 32),
            session_id uuid        NOT NULL
                       CONSTRAINT refresh_tokens_session_exists REFERENCES auth.sessions ON DELETE CASCADE,
            expires_at timestamptz NOT NULL,
            spent_at   timestamptz
        );
        CREATE INDEX refresh_tokens_by_session ON auth.refresh_tokens (session_id);
        COMMENT ON TABLE auth.refresh_tokens IS
            'Spent tokens stay as long as their session: a spent token that is sent again reveals a theft';

        CREATE INDEX revocations_by_expiry ON auth.revocations (expires_at);

        CREATE TABLE auth.security_events (
            id          uuid        CONSTRAINT security_events_pkey PRIMARY KEY,
            occurred_at timestamptz NOT NULL,
            kind        text        NOT NULL,
            actor_id    uuid,
            subject_id  uuid,
            request_id  text        NOT NULL,
            details     jsonb       NOT NULL
        );
        CREATE INDEX security_events_by_subject ON auth.security_events (subject_id, id);
        COMMENT ON TABLE auth.security_events IS
            'Append-only. Holds no names, no secrets and no client input: accounts appear by their ids';
    """)
    op.execute("""
        GRANT UPDATE (used_at, ended_at), DELETE ON auth.sessions TO auth_app;
        GRANT SELECT, INSERT, UPDATE (spent_at) ON auth.refresh_tokens TO auth_app;
        GRANT DELETE ON auth.revocations TO auth_app;
        GRANT UPDATE (epoch) ON auth.users TO auth_app;
        GRANT SELECT, INSERT ON auth.security_events TO auth_app;
    """)


def downgrade() -> None:
    op.execute("""
        DROP TABLE auth.security_events, auth.refresh_tokens;
        DROP INDEX auth.revocations_by_expiry, auth.sessions_by_expiry;
        ALTER TABLE auth.sessions DROP COLUMN used_at, DROP COLUMN ended_at;
        REVOKE UPDATE (epoch) ON auth.users FROM auth_app;
        REVOKE DELETE ON auth.sessions, auth.revocations FROM auth_app;
    """)
