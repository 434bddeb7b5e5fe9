"""Queue of imports in Postgres: claims and wake-ups. All times are the database's."""

from sqlalchemy import text

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from task_service.imports.domain.imports import Checkpoint, Lease
from task_service.imports.domain.options.row_options import RowOptions
from task_service.imports.domain.options.row_rules import find_row_rules
from task_service.imports.domain.rows.used_columns import find_used_columns
from task_service.imports.persistence.notifications import NOTIFY

# An import with an expired lease is waiting again. A postponed import is queued at a later time. Imports of an owner at
# the limit can't be claimed yet. Neither can imports of an owner with a running undo, because the undo changes the
# tasks that they would look up.
_IS_WAITING = "((i.state = 'queued' AND i.queued_at <= now()) OR (i.state = 'running' AND i.lease_until <= now()))"
_WAITING_IMPORTS = f"""
    busy AS (
        SELECT owner_id, count(*) AS running FROM imports
        WHERE state = 'running' AND lease_until > now() GROUP BY owner_id
    ), waiting AS (
        SELECT i.id, coalesce(busy.running, 0) AS running FROM imports i LEFT JOIN busy USING (owner_id)
        WHERE {_IS_WAITING} AND coalesce(busy.running, 0) < :max_running AND NOT EXISTS (
            SELECT FROM import_undos u JOIN imports undone_import ON undone_import.id = u.import_id
            WHERE u.state = 'running' AND undone_import.owner_id = i.owner_id
        )
    )
"""  # noqa: S608 - the condition is a constant
# Order: the owner with the fewest running imports, then the longest wait.
_CLAIM = Statement(
    text(f"""
    WITH {_WAITING_IMPORTS}, next AS (
        SELECT i.id FROM imports i JOIN waiting USING (id)
        -- Repeated here: Postgres rechecks only this condition if another transaction has just changed the row.
        WHERE {_IS_WAITING}
        ORDER BY waiting.running, i.queued_at, i.id
        LIMIT 1 FOR UPDATE OF i SKIP LOCKED
    )
    UPDATE imports i SET
        state = 'running', fence = fence + 1, worker = :worker,
        attempts_without_progress = attempts_without_progress + 1,
        lease_until = now() + make_interval(secs => :seconds), started_at = coalesce(started_at, now())
    FROM next WHERE i.id = next.id
    RETURNING i.id, owner_id, fence, encoding, delimiter, columns, fields, options -> 'values',
        bytes_read, next_line, rows_read, bytes_total, attempts_without_progress
    """)  # noqa: S608 - as above
)
# Without this lock, two concurrent claims could both find an owner one import below the limit. Claims are rare.
_LOCK_CLAIMS = Statement(text("SELECT pg_advisory_xact_lock(hashtext('tasks.imports.claim'))"))
_HAS_WAITING = Statement(text(f"WITH {_WAITING_IMPORTS} SELECT EXISTS (SELECT FROM waiting)"))  # noqa: S608 - as above
# The next wake-ups follow after 1, 2, 4, 8 and then every 10 seconds.
_MARK_NOTIFIED = Statement(
    text(f"""
    WITH {_WAITING_IMPORTS}
    UPDATE imports SET
        wakes = wakes + 1, wake_at = now() + make_interval(secs => least(10, 2 ^ least(wakes, 4)))
    WHERE id IN (
        SELECT i.id FROM imports i JOIN waiting USING (id)
        WHERE {_IS_WAITING} AND i.wake_at <= now()
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
        await _LOCK_CLAIMS.run(self._connection)
        cursor = await _CLAIM.run(self._connection, **values)
        row = await cursor.fetchone()
        if row is None:
            return None
        import_id, owner_id, fence, encoding, delimiter, columns, fields, values, *position, size, attempts = row
        rules = find_row_rules(RowOptions.from_json(values), columns)
        await NOTIFY.run(self._connection, import_id=import_id)
        return Lease(
            import_id=import_id,
            owner_id=owner_id,
            fence=fence,
            encoding=encoding,
            delimiter=delimiter,
            columns=len(columns),
            continuation=rules.continuation,
            used_columns=find_used_columns(fields, rules),
            checkpoint=Checkpoint._make(position),
            size=size,
            attempts_without_progress=attempts,
        )

    async def has_waiting(self, max_running: int) -> bool:
        row = await (await _HAS_WAITING.run(self._connection, max_running=max_running)).fetchone()
        return row is not None and bool(row[0])

    async def mark_notified(self, max_running: int) -> int:
        cursor = await _MARK_NOTIFIED.run(self._connection, max_running=max_running)
        return cursor.rowcount
