"""Index for lists of the tasks that are assigned to a user, in the order of due dates.

Revision ID: 0018
"""

from chassis.database.online_migration import create_index_concurrently

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Partial: an import without assignees does not pay for it.
    create_index_concurrently(
        "tasks_by_assignee_and_due_date",
        on="tasks (assignee_id, coalesce(due_date, 'infinity'::date), id)"
        " WHERE assignee_id IS NOT NULL AND deleted_at IS NULL",
    )
