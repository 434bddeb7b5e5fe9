"""Index for lists of an owner's tasks in the order of their last change.

Revision ID: 0017
"""

from chassis.database.online_migration import create_index_concurrently

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently("tasks_by_updated_at", on="tasks (owner_id, updated_at, id)")
