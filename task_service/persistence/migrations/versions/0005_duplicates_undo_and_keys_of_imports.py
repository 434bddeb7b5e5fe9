"""Defaults of an import's new tasks.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE tasks.imports
            ADD COLUMN default_assignee_id uuid,
            ADD COLUMN default_labels text[] NOT NULL DEFAULT '{}'
    """)
