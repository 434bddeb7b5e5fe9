"""Numbers of imported rows with an unreadable completion time, and with an external_id that a spreadsheet rounded.

Revision ID: 0013
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE imports
            ADD COLUMN unreadable_completions bigint NOT NULL DEFAULT 0,
            ADD COLUMN rounded_external_ids bigint NOT NULL DEFAULT 0
    """)
