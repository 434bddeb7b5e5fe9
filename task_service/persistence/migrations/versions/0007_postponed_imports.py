"""Postponed imports: the dependency that they wait for, and the number of postponements without progress.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE imports
            ADD COLUMN waits_for text NOT NULL DEFAULT '',
            ADD COLUMN postponements integer NOT NULL DEFAULT 0
    """)
