"""Accounts, sessions, service accounts, signing keys and revocations.

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = ("expand",)
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE users (
            id            uuid        CONSTRAINT users_pkey PRIMARY KEY,
            username      text        NOT NULL,
            username_key  text        NOT NULL CONSTRAINT users_username_key_unique UNIQUE,
            email         text        NOT NULL,
            email_key     text        NOT NULL CONSTRAINT users_email_key_unique UNIQUE,
            password_hash text        NOT NULL,
            role          text        NOT NULL CONSTRAINT users_role_known CHECK (role IN ('user', 'manager', 'admin')),
            disabled      boolean     NOT NULL DEFAULT false,
            epoch         bigint      NOT NULL DEFAULT 0 CONSTRAINT users_epoch_counts_up CHECK (epoch >= 0),
            created_at    timestamptz NOT NULL
        );
        COMMENT ON COLUMN users.epoch IS
            'Increases when role, password or disabled changes: tokens of an older epoch are revoked';

        CREATE TABLE sessions (
            id         uuid        CONSTRAINT sessions_pkey PRIMARY KEY,
            user_id    uuid        NOT NULL
                       CONSTRAINT sessions_user_exists REFERENCES users ON DELETE CASCADE,
            created_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL
        );
        CREATE INDEX sessions_by_user ON sessions (user_id);

        CREATE TABLE service_accounts (
            id            uuid        CONSTRAINT service_accounts_pkey PRIMARY KEY,
            name          text        NOT NULL CONSTRAINT service_accounts_name_unique UNIQUE,
            scopes        text[]      NOT NULL,
            secret_digest bytea       NOT NULL
                          CONSTRAINT service_accounts_digest_is_sha256 CHECK (length(secret_digest) = 32),
            disabled      boolean     NOT NULL DEFAULT false,
            created_at    timestamptz NOT NULL
        );

        CREATE TABLE signing_keys (
            kid                   text        CONSTRAINT signing_keys_pkey PRIMARY KEY,
            public_key            bytea       NOT NULL
                                  CONSTRAINT signing_keys_public_key_is_ed25519 CHECK (length(public_key) = 32),
            encrypted_private_key bytea       NOT NULL,
            created_at            timestamptz NOT NULL,
            activates_at          timestamptz NOT NULL,
            retires_at            timestamptz
        );

        CREATE TABLE revocations (
            id          bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT revocations_pkey PRIMARY KEY,
            transaction xid8        NOT NULL DEFAULT pg_current_xact_id(),
            session_id  uuid,
            user_id     uuid,
            least_epoch bigint,
            expires_at  timestamptz NOT NULL,
            CONSTRAINT revocations_one_subject CHECK (
                (session_id IS NULL) = (user_id IS NOT NULL) AND (user_id IS NULL) = (least_epoch IS NULL)
            )
        );
        CREATE INDEX revocations_by_transaction ON revocations (transaction);
        COMMENT ON COLUMN revocations.transaction IS
            'Ids are assigned before the commit, so their order is not the order of commits. Cursors use this column';
    """)
    # The app role gets the rights that the use cases need, per column where only some columns change.
    op.execute("""
        GRANT SELECT, INSERT, UPDATE (password_hash) ON users TO auth_app;
        GRANT SELECT, INSERT ON sessions TO auth_app;
        GRANT SELECT, INSERT, UPDATE (scopes, secret_digest) ON service_accounts TO auth_app;
        GRANT SELECT, INSERT ON signing_keys TO auth_app;
        GRANT SELECT, INSERT (session_id, user_id, least_epoch, expires_at) ON revocations TO auth_app;
    """)


def downgrade() -> None:
    op.execute("DROP TABLE revocations, signing_keys, service_accounts, sessions, users")
