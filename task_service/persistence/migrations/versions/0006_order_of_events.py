"""Order of the event log: transaction numbers from a sequence, revisions of tasks, epoch of the log.

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# High 16 bits of the advisory locks that announce transaction numbers. All other advisory locks are exclusive.
ANNOUNCEMENT_TAG = 0x7473


def upgrade() -> None:
    # Each change of a task has one event, so the revisions of older events are their numbers within the task.
    op.execute("ALTER TABLE task_events ADD COLUMN revision bigint")
    op.execute("""
        UPDATE task_events e SET revision = counted.revision
        FROM (
            SELECT task_id, id, row_number() OVER (PARTITION BY task_id ORDER BY xid, id) AS revision
            FROM task_events
        ) AS counted
        WHERE e.task_id = counted.task_id AND e.id = counted.id
    """)
    op.execute("ALTER TABLE task_events DROP CONSTRAINT task_events_pkey, ALTER COLUMN xid DROP DEFAULT")
    op.execute("ALTER TABLE task_events RENAME COLUMN xid TO transaction_number")
    op.execute("""
        ALTER TABLE task_events
            ALTER COLUMN transaction_number TYPE bigint USING CAST(CAST(transaction_number AS text) AS bigint),
            ADD PRIMARY KEY (task_id, revision)
    """)
    op.execute("ALTER TABLE history_blocks RENAME COLUMN last_xid TO last_transaction_number")
    op.execute("""
        ALTER TABLE history_blocks
            ALTER COLUMN last_transaction_number
                TYPE bigint USING CAST(CAST(last_transaction_number AS text) AS bigint),
            ADD COLUMN digest_version smallint NOT NULL DEFAULT 1
    """)
    op.execute("ALTER TABLE history_blocks ALTER COLUMN digest_version DROP DEFAULT")

    # No cache: a session's cached numbers could be lower than a number that readers have seen.
    op.execute("CREATE SEQUENCE transaction_numbers AS bigint CACHE 1")
    op.execute("""
        SELECT setval('transaction_numbers', coalesce(max(transaction_number), 0) + 1) FROM task_events
    """)
    schema = op.get_context().version_table_schema  # the function must not depend on its caller's search_path
    # Announce first, then take: the announced number is always lower than the taken one, also if other transactions
    # take numbers in between. The lock ends with the transaction. Never call it in a savepoint: a rollback to the
    # savepoint would release the lock while the number is in use.
    op.execute(f"""
        CREATE FUNCTION take_transaction_number() RETURNS bigint LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock_shared(({ANNOUNCEMENT_TAG}::bigint << 48) | last_value)
            FROM {schema}.transaction_numbers;
            RETURN nextval('{schema}.transaction_numbers');
        END $$
    """)
    # pg_locks splits the key of an advisory lock: classid has its high 32 bits, objid its low 32 bits.
    op.execute(f"""
        CREATE FUNCTION least_announced_transaction_number() RETURNS bigint LANGUAGE sql AS $$
            SELECT min(((classid::bigint & 65535) << 32) | objid::bigint) FROM pg_locks
            WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted
                AND objsubid = 1 AND classid::bigint >> 16 = {ANNOUNCEMENT_TAG}
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        $$
    """)  # noqa: S608 - a constant
    op.execute("GRANT USAGE, SELECT ON SEQUENCE transaction_numbers TO tasks_app")
    op.execute("GRANT INSERT (revision, transaction_number) ON task_events TO tasks_app")

    # A random epoch: two restores of the same backup must not have the same one.
    op.execute("CREATE TABLE event_log (epoch bigint NOT NULL)")
    op.execute("CREATE UNIQUE INDEX event_log_has_one_row ON event_log ((true))")
    op.execute("""
        INSERT INTO event_log (epoch)
        VALUES (CAST('x0' || substr(replace(CAST(gen_random_uuid() AS text), '-', ''), 1, 15) AS bit(64))::bigint)
    """)
    op.execute("GRANT SELECT ON event_log TO tasks_app")
