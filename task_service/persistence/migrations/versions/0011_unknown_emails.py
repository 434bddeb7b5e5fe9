"""Digests of the unknown emails that an import has named so far.

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE imports ADD COLUMN unknown_email_digests bytea[] NOT NULL DEFAULT '{}'")
