"""State of dry runs in Postgres, in table tasks.import_dry_run_tasks."""

from collections.abc import Collection, Sequence
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import text

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from task_service.tasks.domain.task import Task
from task_service.tasks.persistence.task_json import task_from_json, task_to_json

_SEEN = Statement(
    text("SELECT task FROM tasks.import_dry_run_tasks WHERE import_id = :import_id AND external_id = ANY(:among)")
)
_REMEMBER = Statement(
    text("""
    INSERT INTO tasks.import_dry_run_tasks (import_id, external_id, task)
    SELECT :import_id, task ->> 'external_id', task FROM jsonb_array_elements(:tasks) AS task
    ON CONFLICT (import_id, external_id) DO UPDATE SET task = excluded.task
    """)
)
_FORGET = Statement(
    text("""
    DELETE FROM tasks.import_dry_run_tasks WHERE ctid = ANY(ARRAY(
        SELECT seen.ctid FROM tasks.import_dry_run_tasks seen JOIN tasks.imports i ON i.id = seen.import_id
        WHERE i.state IN ('succeeded', 'failed', 'cancelled') LIMIT :most
    ))
    """)
)


class SqlDryRunState:
    """Tasks that a dry run would have created, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def seen(self, import_id: UUID, among: Collection[str]) -> Sequence[Task]:
        cursor = await _SEEN.run(self._connection, import_id=import_id, among=list(among))
        return [task_from_json(row[0]) for row in await cursor.fetchall()]

    async def remember(self, import_id: UUID, tasks: Sequence[Task]) -> None:
        values = Jsonb([task_to_json(task) for task in tasks])
        await _REMEMBER.run(self._connection, import_id=import_id, tasks=values)

    async def forget(self, most: int) -> int:
        cursor = await _FORGET.run(self._connection, most=most)
        return cursor.rowcount
