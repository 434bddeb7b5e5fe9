"""Options for the values of an import, and the numbers of imported rows with unknown cells.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE imports
            ADD COLUMN value_options jsonb NOT NULL DEFAULT '{}',
            ADD COLUMN unknown_statuses bigint NOT NULL DEFAULT 0,
            ADD COLUMN unknown_priorities bigint NOT NULL DEFAULT 0,
            ADD COLUMN unknown_due_dates bigint NOT NULL DEFAULT 0
    """)
