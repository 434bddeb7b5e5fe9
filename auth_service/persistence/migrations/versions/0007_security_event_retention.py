"""Security events that are old enough go.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The app role still may not delete: it may ask the owner to, who does so behind the floor only. Whoever has taken
    # the service over hides nothing of the last 90 days, whatever they ask for.
    op.execute("""
        CREATE INDEX security_events_by_time ON auth.security_events (occurred_at);

        CREATE FUNCTION auth.forget_security_events(before timestamptz, most integer) RETURNS bigint
        LANGUAGE sql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS $$
            WITH old AS (
                SELECT id FROM auth.security_events
                WHERE occurred_at < least(before, now() - interval '90 days')
                ORDER BY occurred_at LIMIT most FOR UPDATE SKIP LOCKED
            ),
            gone AS (DELETE FROM auth.security_events USING old WHERE security_events.id = old.id RETURNING 1)
            SELECT count(*) FROM gone
        $$;
        REVOKE ALL ON FUNCTION auth.forget_security_events FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION auth.forget_security_events TO auth_app;
        COMMENT ON FUNCTION auth.forget_security_events IS
            'Deletes up to `most` events from before then, the oldest first, and none of the last 90 days; how many';
        COMMENT ON TABLE auth.security_events IS
            'Append-only, but for auth.forget_security_events. Holds no names, no secrets and nothing that a stranger '
            'typed: accounts are told by their ids';
    """)


def downgrade() -> None:
    op.execute("""
        DROP FUNCTION auth.forget_security_events;
        DROP INDEX auth.security_events_by_time;
    """)
