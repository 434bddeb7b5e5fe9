"""Number of rows that continue a task, but have none above them.

Revision ID: 0012
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE imports ADD COLUMN orphaned_rows bigint NOT NULL DEFAULT 0")
