"""Index for lists of the tasks that are assigned to a user, in the order of their last change.

Revision ID: 0019
"""

from chassis.database.online_migration import create_index_concurrently

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently(
        "tasks_by_assignee_and_updated_at", on="tasks (assignee_id, updated_at, id) WHERE assignee_id IS NOT NULL"
    )
