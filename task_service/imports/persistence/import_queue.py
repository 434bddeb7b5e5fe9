"""Queue of imports in Postgres: claims and wake-ups. All times are the database's."""

from sqlalchemy import text

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from task_service.imports.domain.imports import Checkpoint, Lease
from task_service.imports.persistence.notifications import NOTIFY

# An import with an expired lease waits too. Imports of an owner at the limit wait, and so do imports of an owner with a
# running undo, because the undo is changing the tasks that they would look up.
_WAITS = "(i.state = 'queued' OR (i.state = 'running' AND i.lease_until <= now()))"
_WAITING = f"""
    busy AS (
        SELECT owner_id, count(*) AS running FROM tasks.imports
        WHERE state = 'running' AND lease_until > now() GROUP BY owner_id
    ), waiting AS (
        SELECT i.id, coalesce(busy.running, 0) AS running FROM tasks.imports i LEFT JOIN busy USING (owner_id)
        WHERE {_WAITS} AND coalesce(busy.running, 0) < :max_running AND NOT EXISTS (
            SELECT FROM tasks.import_undos u JOIN tasks.imports undone ON undone.id = u.import_id
            WHERE u.state = 'running' AND undone.owner_id = i.owner_id
        )
    )
"""  # noqa: S608 - the condition is a constant
# Order: the owner with the fewest running imports, then the longest wait.
_CLAIM = Statement(
    text(f"""
    WITH {_WAITING}, next AS (
        SELECT i.id FROM tasks.imports i JOIN waiting USING (id)
        -- Said again: this is what is looked at anew when somebody else has just changed the row.
        WHERE {_WAITS}
        ORDER BY waiting.running, i.queued_at, i.id
        LIMIT 1 FOR UPDATE OF i SKIP LOCKED
    )
    UPDATE tasks.imports i SET
        state = 'running', fence = fence + 1, worker = :worker,
        attempts_without_progress = attempts_without_progress + 1,
        lease_until = now() + make_interval(secs => :seconds), started_at = coalesce(started_at, now())
    FROM next WHERE i.id = next.id
    RETURNING i.id, owner_id, fence, encoding, delimiter, cardinality(fields), bytes_read, next_line, rows_read,
        bytes_total, attempts_without_progress
    """)  # noqa: S608 - as above
)
# Two concurrent claims could both find an owner one import below the limit. Claims are rare: one for each turn.
_ONE_CLAIM_AT_A_TIME = Statement(text("SELECT pg_advisory_xact_lock(hashtext('tasks.imports.claim'))"))
_SOMETHING_WAITS = Statement(text(f"WITH {_WAITING} SELECT EXISTS (SELECT FROM waiting)"))  # noqa: S608 - as above
# Next wake-up after 1, 2, 4, 8 and then every 10 seconds.
_MARK_WOKEN = Statement(
    text(f"""
    WITH {_WAITING}
    UPDATE tasks.imports SET
        wakes = wakes + 1, wake_at = now() + make_interval(secs => least(10, 2 ^ least(wakes, 4)))
    WHERE id IN (
        SELECT i.id FROM tasks.imports i JOIN waiting USING (id)
        WHERE {_WAITS} AND i.wake_at <= now()
        ORDER BY i.queued_at LIMIT 100 FOR UPDATE OF i SKIP LOCKED
    )
    """)  # noqa: S608 - as above
)


class SqlImportQueue:
    """Queue on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, worker: str, lease_seconds: float, max_running: int) -> Lease | None:
        values = {"worker": worker, "seconds": lease_seconds, "max_running": max_running}
        await _ONE_CLAIM_AT_A_TIME.run(self._connection)
        cursor = await _CLAIM.run(self._connection, **values)
        row = await cursor.fetchone()
        if row is None:
            return None
        import_id, owner_id, fence, encoding, delimiter, columns, offset, line, records, size, fruitless = row
        await NOTIFY.run(self._connection, import_id=import_id)
        return Lease(
            import_id=import_id,
            owner_id=owner_id,
            fence=fence,
            encoding=encoding,
            delimiter=delimiter,
            columns=columns,
            checkpoint=Checkpoint(offset, line, records),
            size=size,
            attempts_without_progress=fruitless,
        )

    async def has_waiting(self, max_running: int) -> bool:
        row = await (await _SOMETHING_WAITS.run(self._connection, max_running=max_running)).fetchone()
        return row is not None and bool(row[0])

    async def mark_notified(self, max_running: int) -> int:
        cursor = await _MARK_WOKEN.run(self._connection, max_running=max_running)
        return cursor.rowcount
