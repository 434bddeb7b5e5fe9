"""Index for lists of a user's assigned tasks in the order of creation, with the columns that counts by status read.

Revision ID: 0022
"""

from chassis.database.online_migration import create_index_concurrently

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently(
        "tasks_by_assignee_and_created_at",
        on="tasks (assignee_id, id) INCLUDE (status, due_date, completed_at, deleted_at) WHERE assignee_id IS NOT NULL",
    )
