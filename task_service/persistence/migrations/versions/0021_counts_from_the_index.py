"""Index for lists of an owner's tasks in the order of creation, with the columns that counts by status read.

Revision ID: 0021
"""

from chassis.database.online_migration import create_index_concurrently

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently(
        "tasks_by_created_at", on="tasks (owner_id, id) INCLUDE (status, due_date, completed_at, deleted_at)"
    )
