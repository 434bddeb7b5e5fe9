"""How often passwords were tried, per account and overall.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE auth.login_attempts (
            key      bytea       CONSTRAINT login_attempts_pkey PRIMARY KEY,
            paid_at  timestamptz NOT NULL,
            noted_at timestamptz
        );
        CREATE INDEX login_attempts_by_payment ON auth.login_attempts (paid_at);
        COMMENT ON TABLE auth.login_attempts IS
            'When all attempts so far are paid off (GCRA); what lies behind now means nothing and is swept';
        GRANT SELECT, INSERT, UPDATE (paid_at, noted_at), DELETE ON auth.login_attempts TO auth_app;
    """)


def downgrade() -> None:
    op.execute("DROP TABLE auth.login_attempts")
