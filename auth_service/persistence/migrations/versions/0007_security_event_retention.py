"""Deleting security events after their retention.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The app role must not delete events. It may call this function, which runs as the owner and deletes only events
    # older than 90 days. An attacker in control of the service cannot hide the last 90 days.
    schema = op.get_context().version_table_schema  # the function must not depend on its caller's search_path
    op.execute(f"""
        CREATE INDEX security_events_by_time ON security_events (occurred_at);

        CREATE FUNCTION delete_expired_security_events(before timestamptz, max_events integer) RETURNS bigint
        LANGUAGE sql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS $$
            WITH old AS (
                SELECT id FROM {schema}.security_events
                WHERE occurred_at < least(before, now() - interval '90 days')
                ORDER BY occurred_at LIMIT max_events FOR UPDATE SKIP LOCKED
            ),
            deleted AS (DELETE FROM {schema}.security_events USING old WHERE security_events.id = old.id RETURNING 1)
            SELECT count(*) FROM deleted
        $$;
        REVOKE ALL ON FUNCTION delete_expired_security_events FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION delete_expired_security_events TO auth_app;
        COMMENT ON FUNCTION delete_expired_security_events IS
            'Deletes up to max_events events older than `before`, oldest first, none of the last 90 days. '
            'Returns the number';
        COMMENT ON TABLE security_events IS
            'Append-only, but for delete_expired_security_events. Holds no names, no secrets and no client input: '
            'accounts appear by their ids';
    """)  # noqa: S608 - the schema is checked


def downgrade() -> None:
    op.execute("""
        DROP FUNCTION delete_expired_security_events;
        DROP INDEX security_events_by_time;
    """)
