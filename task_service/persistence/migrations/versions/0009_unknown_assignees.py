"""Number of imported rows with an unknown assignee.

Revision ID: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE imports ADD COLUMN unknown_assignees bigint NOT NULL DEFAULT 0")
