"""Pages of revocations, and one revocation for each account.

Revision ID: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE INDEX revocations_by_position ON revocations (transaction, id);
        DROP INDEX revocations_by_transaction;
        CREATE INDEX revocations_by_user ON revocations (user_id) WHERE user_id IS NOT NULL;
    """)


def downgrade() -> None:
    op.execute("""
        CREATE INDEX revocations_by_transaction ON revocations (transaction);
        DROP INDEX revocations_by_position, revocations_by_user;
    """)
