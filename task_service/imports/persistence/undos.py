"""Undos of imports in Postgres, and the snapshots of changed tasks that they need."""

from collections.abc import Mapping, Sequence
from functools import cache
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import bindparam, select, text

from chassis.database.connection import Connection
from chassis.database.statement import Statement
from chassis.kernel.ids import LAST_ID
from chassis.kernel.pagination import Page, PageRequest
from task_service.history.domain.events import Actor
from task_service.imports.domain.duplicates import TaskChange
from task_service.imports.domain.undo import ChangeSnapshot, ConflictReason, RunningUndo, UndoConflict
from task_service.imports.persistence.notifications import NOTIFY
from task_service.imports.usecases.undo_ports import UndoCandidates, UndoStep
from task_service.persistence.tables import import_undo_conflicts
from task_service.tasks.persistence.task_json import task_from_json, task_to_json

# `before` stays the state before the first change. `revision` follows only the import's own changes, so it no longer
# matches after a change by somebody else.
_SAVE_SNAPSHOTS = Statement(
    text("""
    INSERT INTO import_updates AS snapshot (import_id, task_id, before, revision)
    SELECT :import_id, CAST(change -> 'before' ->> 'id' AS uuid), change -> 'before',
        CAST(change ->> 'revision' AS bigint)
    FROM jsonb_array_elements(:changes) AS change
    ON CONFLICT (import_id, task_id) DO UPDATE SET revision = excluded.revision
    WHERE snapshot.revision = CAST(excluded.before ->> 'revision' AS bigint)
    """)
)
_START = Statement(
    text("""
    INSERT INTO import_undos (import_id, actor_id, actor_role, request_id)
    VALUES (:import_id, :actor_id, :actor_role, :request_id) ON CONFLICT DO NOTHING
    """)
)
_LOCK_NEXT = Statement(
    text("""
    SELECT u.import_id, i.owner_id, u.actor_id, u.actor_role, u.request_id, u.checkpoint, i.created_at, i.finished_at,
        i.traceparent
    FROM import_undos u JOIN imports i ON i.id = u.import_id
    WHERE u.state = 'running' ORDER BY u.last_step_at LIMIT 1 FOR UPDATE OF u SKIP LOCKED
    """)
)
# A step does not wait for a task that somebody else has locked: meanwhile all other undos would wait too.
_LIMIT_LOCK_WAITS = Statement(text("SET LOCAL lock_timeout = '100ms'"))
_MOVE_TO_END = Statement(
    text("""
    UPDATE import_undos SET last_step_at = now() WHERE import_id = (
        SELECT import_id FROM import_undos
        WHERE import_id = :import_id AND state = 'running' FOR UPDATE SKIP LOCKED
    )
    """)
)
# The tasks belong to the owner, and their ids are from the time of the import. Only the index by owner gives the order.
_OWNED = """
    SELECT id, import_id FROM tasks
    WHERE (owner_id, id) > (:owner_id, :first_id) AND (owner_id, id) < (:owner_id, :last_id)
    ORDER BY owner_id, id LIMIT :max_rows
"""
_FIND_END = Statement(text(f"SELECT id FROM ({_OWNED}) AS owned OFFSET :max_rows - 1 LIMIT 1"))  # noqa: S608 - constants
_LIST_CANDIDATES = Statement(
    text(f"""
    SELECT id FROM (
        (SELECT id FROM ({_OWNED}) AS owned WHERE import_id = :import_id AND id <= :until ORDER BY id LIMIT :limit)
        UNION
        (
            SELECT task_id FROM import_updates
            WHERE import_id = :import_id AND task_id > :checkpoint AND task_id <= :until
            ORDER BY task_id LIMIT :limit
        )
    ) AS affected ORDER BY id LIMIT :limit
    """)  # noqa: S608 - constants
)
_GET_SNAPSHOTS = Statement(
    text("""
    SELECT task_id, before, revision FROM import_updates
    WHERE import_id = :import_id AND task_id = ANY(:task_ids)
    """)
)
_ADVANCE_CHECKPOINT = Statement(
    text("""
    UPDATE import_undos SET
        checkpoint = :checkpoint, deleted = deleted + :deleted, restored = restored + :restored, kept = kept + :kept,
        last_step_at = now(), state = CASE WHEN :is_last THEN 'succeeded' ELSE state END,
        finished_at = CASE WHEN :is_last THEN now() END
    WHERE import_id = :import_id
    """)
)
# Snapshots up to the checkpoint are not needed any more, and contain text of tasks.
_DELETE_SNAPSHOTS = Statement(
    text("DELETE FROM import_updates WHERE import_id = :import_id AND task_id <= :checkpoint")
)
_INSERT_CONFLICTS = Statement(
    text("""
    INSERT INTO import_undo_conflicts (import_id, task_id, reason)
    SELECT :import_id, * FROM unnest(CAST(:task_ids AS uuid[]), CAST(:reasons AS text[]))
    """)
)


@cache
def _list_conflicts(*, after: bool) -> Statement:
    query = select(import_undo_conflicts.c.task_id, import_undo_conflicts.c.reason).where(
        import_undo_conflicts.c.import_id == bindparam("import_id")
    )
    if after:
        query = query.where(import_undo_conflicts.c.task_id > bindparam("after"))
    return Statement(query.order_by(import_undo_conflicts.c.task_id).limit(bindparam("limit")))


class SqlUndos:
    """Undos on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def save_snapshots(self, import_id: UUID, changes: Sequence[TaskChange]) -> None:
        first: dict[UUID, TaskChange] = {}
        for change in changes:
            before = first.get(change.after.id, change).before
            first[change.after.id] = TaskChange(before, change.after)
        values = [{"before": task_to_json(before), "revision": after.revision} for before, after in first.values()]
        await _SAVE_SNAPSHOTS.run(self._connection, import_id=import_id, changes=Jsonb(values))

    async def start(self, import_id: UUID, actor: Actor) -> None:
        await _START.execute(
            self._connection,
            import_id=import_id,
            actor_id=actor.id,
            actor_role=actor.role,
            request_id=actor.request_id,
        )
        await NOTIFY.execute(self._connection, import_id=import_id)

    async def lock_next(self) -> RunningUndo | None:
        row = await (await _LOCK_NEXT.run_by_name(self._connection)).fetchone()
        if row is None:
            return None
        await _LIMIT_LOCK_WAITS.execute(self._connection)
        return RunningUndo(
            import_id=row["import_id"],
            owner_id=row["owner_id"],
            actor=Actor(row["actor_id"], row["actor_role"], row["request_id"]),
            checkpoint=row["checkpoint"],
            created_at=row["created_at"],
            finished_at=row["finished_at"],
            traceparent=row["traceparent"],
        )

    async def move_to_end(self, import_id: UUID) -> None:
        await _MOVE_TO_END.execute(self._connection, import_id=import_id)

    async def list_candidates(self, undo: RunningUndo, *, limit: int, max_rows: int) -> UndoCandidates:
        owned = {
            "owner_id": undo.owner_id,
            "first_id": undo.first_id,
            "last_id": undo.last_id,
            "max_rows": max_rows,
        }
        row = await _FIND_END.fetch_one(self._connection, **owned)
        end = row[0] if row else None
        cursor = await _LIST_CANDIDATES.run(
            self._connection,
            **owned,
            import_id=undo.import_id,
            checkpoint=undo.checkpoint,
            until=end or LAST_ID,
            limit=limit,
        )
        task_ids = [row[0] for row in await cursor.fetchall()]
        return UndoCandidates(task_ids, task_ids[-1] if len(task_ids) == limit else end)

    async def get_snapshots(self, import_id: UUID, task_ids: Sequence[UUID]) -> Mapping[UUID, ChangeSnapshot]:
        cursor = await _GET_SNAPSHOTS.run(self._connection, import_id=import_id, task_ids=list(task_ids))
        return {
            task_id: ChangeSnapshot(task_from_json(before), revision)
            for task_id, before, revision in await cursor.fetchall()
        }

    async def advance(self, import_id: UUID, step: UndoStep) -> None:
        if step.conflicts:
            task_ids, reasons = zip(*step.conflicts, strict=True)
            await _INSERT_CONFLICTS.run(
                self._connection, import_id=import_id, task_ids=list(task_ids), reasons=[str(one) for one in reasons]
            )
        await _DELETE_SNAPSHOTS.execute(self._connection, import_id=import_id, checkpoint=step.checkpoint)
        await _ADVANCE_CHECKPOINT.execute(
            self._connection,
            import_id=import_id,
            checkpoint=step.checkpoint,
            deleted=step.deleted,
            restored=step.restored,
            kept=len(step.conflicts),
            is_last=step.is_last,
        )
        await NOTIFY.execute(self._connection, import_id=import_id)

    async def list_conflicts(self, import_id: UUID, request: PageRequest) -> Page[UndoConflict]:
        after = request.after_id
        cursor = await _list_conflicts(after=after is not None).run(
            self._connection, import_id=import_id, after=after, limit=request.size + 1
        )
        rows = [UndoConflict(task_id, ConflictReason(reason)) for task_id, reason in await cursor.fetchall()]
        return request.page(rows, lambda found: found.task_id.bytes)
