"""State of dry runs in Postgres, in table import_dry_run_tasks."""

from collections.abc import Collection, Sequence
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import text

from chassis.database.connection import Connection
from chassis.database.statement import Statement
from task_service.tasks.domain.task import Task
from task_service.tasks.persistence.task_json import task_from_json, task_to_json

_FIND = Statement(
    text("SELECT task FROM import_dry_run_tasks WHERE import_id = :import_id AND external_id = ANY(:external_ids)")
)
_SAVE = Statement(
    text("""
    INSERT INTO import_dry_run_tasks (import_id, external_id, task)
    SELECT :import_id, task ->> 'external_id', task FROM jsonb_array_elements(:tasks) AS task
    ON CONFLICT (import_id, external_id) DO UPDATE SET task = excluded.task
    """)
)
_DELETE_ENDED = Statement(
    text("""
    DELETE FROM import_dry_run_tasks WHERE ctid = ANY(ARRAY(
        SELECT t.ctid FROM import_dry_run_tasks t JOIN imports i ON i.id = t.import_id
        WHERE i.state IN ('succeeded', 'failed', 'cancelled') LIMIT :limit
    ))
    """)
)


class SqlDryRunState:
    """Tasks that a dry run would have created or changed, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, import_id: UUID, external_ids: Collection[str]) -> Sequence[Task]:
        cursor = await _FIND.run(self._connection, import_id=import_id, external_ids=list(external_ids))
        return [task_from_json(row[0]) for row in await cursor.fetchall()]

    async def save(self, import_id: UUID, tasks: Sequence[Task]) -> None:
        values = Jsonb([task_to_json(task) for task in tasks])
        await _SAVE.run(self._connection, import_id=import_id, tasks=values)

    async def delete_ended(self, limit: int) -> int:
        return await _DELETE_ENDED.execute(self._connection, limit=limit)
