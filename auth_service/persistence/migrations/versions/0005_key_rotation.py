"""Retiring signing keys.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT UPDATE (retires_at) ON signing_keys TO auth_app")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (retires_at) ON signing_keys FROM auth_app")
