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
        CREATE INDEX revocations_by_position ON auth.revocations (transaction, id);
        DROP INDEX auth.revocations_by_transaction;
        CREATE INDEX revocations_by_user ON auth.revocations (user_id) WHERE user_id IS NOT NULL;
    """)


def downgrade() -> None:
    op.execute("""
        CREATE INDEX revocations_by_transaction ON auth.revocations (transaction);
        DROP INDEX auth.revocations_by_position, auth.revocations_by_user;
    """)
