"""Trace of an import's upload, to which the spans of its processing belong.

Revision ID: 0016
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A constant default needs no rewrite of the table.
    op.execute("ALTER TABLE imports ADD COLUMN traceparent text NOT NULL DEFAULT ''")
