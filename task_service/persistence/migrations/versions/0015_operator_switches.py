"""Switches that an operator turns on: a row for each one that is on.

Revision ID: 0015
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE operator_switches (
            name text PRIMARY KEY,
            reason text NOT NULL,
            since timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("GRANT SELECT ON operator_switches TO tasks_app")
