"""Revoking the tokens of service accounts.

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE service_accounts
            ADD COLUMN epoch bigint NOT NULL DEFAULT 0 CONSTRAINT service_accounts_epoch_counts_up CHECK (epoch >= 0);
        COMMENT ON COLUMN service_accounts.epoch IS
            'Increases when scopes, secret or disabled change: tokens of an older epoch are revoked';
        GRANT UPDATE (disabled, epoch) ON service_accounts TO auth_app;
    """)


def downgrade() -> None:
    op.execute("""
        REVOKE UPDATE (disabled) ON service_accounts FROM auth_app;
        ALTER TABLE service_accounts DROP COLUMN epoch;
    """)
