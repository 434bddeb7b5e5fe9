"""Queue of imports in Postgres: claims and wake-ups. All times are the database's."""

from collections.abc import Sequence

from sqlalchemy import text

from chassis.database.connection import Connection
from chassis.database.statement import Statement
from task_service.imports.domain.imports import Checkpoint, Lease
from task_service.imports.domain.options.row_options import RowOptions
from task_service.imports.domain.options.row_rules import find_row_rules
from task_service.imports.domain.queue_depth import QueueDepth, QueueState
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
# Order: the owner with the fewest running imports, then the owner whose imports have waited longest for any progress,
# then the longest wait. So owners take turns, and a hundred imports of one owner delay another owner by one turn.
_CLAIM = Statement(
    text(f"""
    WITH {_WAITING_IMPORTS}, served AS (
        SELECT owner_id, max(progress_at) AS progress_at FROM (
            SELECT owner_id, greatest(started_at, progressed_at) AS progress_at FROM imports
            WHERE state IN ('queued', 'running')
            UNION ALL
            -- An index has these.
            SELECT owner_id, finished_at FROM imports WHERE file_stored AND finished_at > now() - interval '1 minute'
        ) AS progress GROUP BY owner_id
    ), next AS (
        SELECT i.id, i.state = 'running' AS is_takeover, extract(epoch FROM now() - i.queued_at) AS waited
        FROM imports i JOIN waiting USING (id) LEFT JOIN served USING (owner_id)
        -- Repeated here: Postgres rechecks only this condition if another transaction has just changed the row.
        WHERE {_IS_WAITING}
        ORDER BY waiting.running, served.progress_at NULLS FIRST, i.queued_at, i.id
        LIMIT 1 FOR UPDATE OF i SKIP LOCKED
    )
    UPDATE imports i SET
        state = 'running', fence = fence + 1, worker = :worker,
        attempts_without_progress = attempts_without_progress + 1,
        lease_until = now() + make_interval(secs => :seconds), started_at = coalesce(started_at, now())
    FROM next WHERE i.id = next.id
    RETURNING i.id, owner_id, fence, encoding, delimiter, columns, fields, options -> 'values' AS row_options,
        bytes_read, next_line, rows_read, bytes_total, attempts_without_progress, request_id, traceparent,
        is_takeover, waited
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
    RETURNING traceparent
    """)  # noqa: S608 - as above
)
_MARK_PAUSED = Statement(
    text("""
    UPDATE imports SET waits_for = CASE WHEN :is_paused THEN 'operator' ELSE '' END
    WHERE state = 'queued' AND (waits_for = 'operator') <> :is_paused
    RETURNING id
    """)
)

# The partial index on the states of unfinished imports serves it.
_MEASURE = Statement(
    text("""
    WITH unfinished AS (
        SELECT created_at, queued_at, started_at, lease_until, CASE
            WHEN state = 'queued' AND queued_at > now() THEN 'postponed'
            WHEN state = 'running' AND lease_until <= now() THEN 'abandoned'
            ELSE state
        END AS state
        FROM imports WHERE state IN ('uploading', 'queued', 'running')
    )
    SELECT state, count(*), extract(epoch FROM now() - min(CASE state
        WHEN 'queued' THEN queued_at WHEN 'running' THEN started_at WHEN 'abandoned' THEN lease_until ELSE created_at
    END)) FROM unfinished GROUP BY state
    """)
)


class SqlImportQueue:
    """Queue on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, worker: str, lease_seconds: float, max_running: int) -> Lease | None:
        values = {"worker": worker, "seconds": lease_seconds, "max_running": max_running}
        await _LOCK_CLAIMS.execute(self._connection)
        row = await (await _CLAIM.run_by_name(self._connection, **values)).fetchone()
        if row is None:
            return None
        rules = find_row_rules(RowOptions.from_json(row["row_options"]), row["columns"])
        await NOTIFY.execute(self._connection, import_id=row["id"])
        return Lease(
            import_id=row["id"],
            owner_id=row["owner_id"],
            fence=row["fence"],
            encoding=row["encoding"],
            delimiter=row["delimiter"],
            columns=len(row["columns"]),
            continuation=rules.continuation,
            used_columns=find_used_columns(row["fields"], rules),
            checkpoint=Checkpoint(row["bytes_read"], row["next_line"], row["rows_read"]),
            size=row["bytes_total"],
            attempts_without_progress=row["attempts_without_progress"],
            waited_seconds=None if row["is_takeover"] else float(row["waited"]),
            request_id=row["request_id"],
            traceparent=row["traceparent"],
        )

    async def has_waiting(self, max_running: int) -> bool:
        row = await _HAS_WAITING.fetch_one(self._connection, max_running=max_running)
        return row is not None and bool(row[0])

    async def mark_paused(self, *, is_paused: bool) -> None:
        cursor = await _MARK_PAUSED.run(self._connection, is_paused=is_paused)
        for (import_id,) in await cursor.fetchall():
            await NOTIFY.execute(self._connection, import_id=import_id)

    async def mark_notified(self, max_running: int) -> Sequence[str]:
        cursor = await _MARK_NOTIFIED.run(self._connection, max_running=max_running)
        return [row[0] for row in await cursor.fetchall()]

    async def measure(self) -> Sequence[QueueDepth]:
        rows = await (await _MEASURE.run(self._connection)).fetchall()
        return [QueueDepth(QueueState(state), imports, float(seconds)) for state, imports, seconds in rows]
