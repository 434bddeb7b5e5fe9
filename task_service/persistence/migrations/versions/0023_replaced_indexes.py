"""Drop the indexes that those of 0021 and 0022 replace. Lists of older releases read the new ones.

Revision ID: 0023
"""

from chassis.database.online_migration import drop_index_concurrently

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    drop_index_concurrently("tasks_by_owner")
    drop_index_concurrently("tasks_by_assignee")
