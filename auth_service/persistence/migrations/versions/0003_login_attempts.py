"""Counters of password attempts, per account and overall.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE login_attempts (
            key                    bytea       CONSTRAINT login_attempts_pkey PRIMARY KEY,
            theoretical_arrival_at timestamptz NOT NULL,
            logged_at              timestamptz
        );
        CREATE INDEX login_attempts_by_arrival ON login_attempts (theoretical_arrival_at);
        COMMENT ON TABLE login_attempts IS
            'Counters of the generic cell rate algorithm (GCRA). Rows whose arrival time has passed are deleted';
        GRANT SELECT, INSERT, UPDATE (theoretical_arrival_at, logged_at), DELETE ON login_attempts TO auth_app;
    """)


def downgrade() -> None:
    op.execute("DROP TABLE login_attempts")
