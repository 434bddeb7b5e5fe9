"""Personal access tokens.

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE personal_tokens (
            id           uuid        CONSTRAINT personal_tokens_pkey PRIMARY KEY,
            user_id      uuid        NOT NULL
                         CONSTRAINT personal_tokens_user_exists REFERENCES users ON DELETE CASCADE,
            name         text        NOT NULL,
            scopes       text[]      NOT NULL CONSTRAINT personal_tokens_have_scopes CHECK (cardinality(scopes) > 0),
            digest       bytea       NOT NULL CONSTRAINT personal_tokens_digest_unique UNIQUE
                         CONSTRAINT personal_tokens_digest_is_sha256 CHECK (length(digest) = 32),
            created_at   timestamptz NOT NULL,
            expires_at   timestamptz NOT NULL,
            last_used_at timestamptz,
            ended_at     timestamptz
        );
        CREATE INDEX personal_tokens_by_user ON personal_tokens (user_id, id);
        CREATE INDEX personal_tokens_by_expiry ON personal_tokens (expires_at);
        CREATE INDEX personal_tokens_by_end ON personal_tokens (ended_at) WHERE ended_at IS NOT NULL;
        COMMENT ON TABLE personal_tokens IS
            'Ended and expired tokens stay for 30 days: their further use is recorded under their ids';
    """)
    op.execute("GRANT SELECT, INSERT, UPDATE (last_used_at, ended_at), DELETE ON personal_tokens TO auth_app")


def downgrade() -> None:
    op.execute("DROP TABLE personal_tokens")
