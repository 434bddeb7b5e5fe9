"""Right of the service to refresh the planner's statistics of the tables that imports fill.

Revision ID: 0020
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT MAINTAIN ON tasks, task_events, import_errors, import_failed_rows TO tasks_app")
