"""All options of an import, and the source that was recognised by its column names.

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE imports RENAME COLUMN value_options TO options;
        UPDATE imports SET options = jsonb_build_object('values', options);
        ALTER TABLE imports
            ALTER COLUMN options SET DEFAULT '{"values": {}}',
            ADD COLUMN source_detected text NOT NULL DEFAULT ''
    """)
