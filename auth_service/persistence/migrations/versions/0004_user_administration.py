"""Changing and deleting accounts, and resetting passwords by a code.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE users
            ADD COLUMN deleted_at timestamptz,
            ALTER COLUMN username_key DROP NOT NULL,
            ALTER COLUMN email_key DROP NOT NULL,
            ADD CONSTRAINT users_deleted_have_no_name CHECK (
                CASE WHEN deleted_at IS NULL THEN username_key IS NOT NULL AND email_key IS NOT NULL
                ELSE username_key IS NULL AND email_key IS NULL AND username = '' AND email = '' AND password_hash = ''
                END
            );
        CREATE INDEX users_by_username_prefix ON users (username_key text_pattern_ops);
        CREATE INDEX users_by_role ON users (role) WHERE role <> 'user';
        COMMENT ON COLUMN users.deleted_at IS
            'The id stays, for the history of tasks. The personal data are erased';

        CREATE TABLE password_resets (
            user_id    uuid        CONSTRAINT password_resets_pkey PRIMARY KEY
                       CONSTRAINT password_resets_user_exists REFERENCES users ON DELETE CASCADE,
            digest     bytea       NOT NULL CONSTRAINT password_resets_digest_unique UNIQUE
                       CONSTRAINT password_resets_digest_is_sha256 CHECK (length(digest) = 32),
            expires_at timestamptz NOT NULL
        );
    """)
    op.execute("""
        GRANT UPDATE (username, username_key, email, email_key, role, disabled, deleted_at) ON users TO auth_app;
        GRANT SELECT, INSERT, UPDATE (digest, expires_at), DELETE ON password_resets TO auth_app;
    """)


def downgrade() -> None:
    op.execute("""
        DROP TABLE password_resets;
        DROP INDEX users_by_username_prefix, users_by_role;
        REVOKE UPDATE (username, username_key, email, email_key, role, disabled) ON users FROM auth_app;
        DELETE FROM users WHERE deleted_at IS NOT NULL;
        ALTER TABLE users
            DROP COLUMN deleted_at, ALTER COLUMN username_key SET NOT NULL, ALTER COLUMN email_key SET NOT NULL;
    """)
