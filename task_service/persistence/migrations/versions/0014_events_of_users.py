"""Former assignee of an event, and indexes for the events of one user in log order.

Revision ID: 0014
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Generated from a column that the digest of the hash chain covers, so it needs no new version of the digest.
    op.execute("""
        ALTER TABLE task_events ADD COLUMN former_assignee_id uuid
            GENERATED ALWAYS AS (CAST(nullif(changes #>> '{assignee_id,0}', '') AS uuid)) STORED
    """)
    # With number and id, a page is read in order: (owner_id, transaction_number) alone is a sixth of the size, but an
    # import costs the same with it, and a page would sort whole batches.
    op.execute("CREATE INDEX task_events_by_owner ON task_events (owner_id, transaction_number, id)")
    for column in ("assignee_id", "former_assignee_id"):
        name = f"task_events_by_{column.removesuffix('_id')}"
        op.execute(f"""
            CREATE INDEX {name} ON task_events ({column}, transaction_number, id) WHERE {column} IS NOT NULL
        """)
