"""Reset codes know the admin who issued them, and the epoch of that admin.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The issuers of existing codes are unknown. The codes live for an hour, and an admin can issue new ones.
    op.execute("""
        DELETE FROM password_resets;
        ALTER TABLE password_resets
            ADD COLUMN issuer_id uuid NOT NULL,
            ADD COLUMN issuer_epoch bigint NOT NULL;
        COMMENT ON COLUMN password_resets.issuer_epoch IS
            'Epoch of the admin who issued the code. The code is void when that account has another epoch';
        GRANT UPDATE (issuer_id, issuer_epoch) ON password_resets TO auth_app;
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE password_resets DROP COLUMN issuer_id, DROP COLUMN issuer_epoch")
