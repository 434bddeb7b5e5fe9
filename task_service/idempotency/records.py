"""What was answered under an idempotency key, in Postgres."""

from datetime import datetime, timedelta
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import bindparam, delete, select, text, update

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from task_service.persistence.tables import answers
from task_service.tasks.domain.errors import IdempotencyKeyReused
from task_service.tasks.persistence.task_json import json_of, task_of
from task_service.tasks.usecases.ports import Answer, Once

# A twin that comes meanwhile waits here for the first one's commit, and then finds the row. A row that is too old
# counts as none.
_CLAIM = Statement(
    text("""
    INSERT INTO tasks.idempotency_keys AS kept (caller_id, key, digest, tasks, created_at)
    VALUES (:caller_id, :key, :digest, '[]', :now)
    ON CONFLICT (caller_id, key) DO UPDATE SET
        digest = excluded.digest, tasks = '[]', import_id = NULL, created_at = excluded.created_at
    WHERE kept.created_at <= :too_old
    RETURNING 1
    """)
)
_MINE = (answers.c.caller_id == bindparam("of_caller"), answers.c.key == bindparam("of_key"))
_FIND = Statement(
    select(answers.c.digest, answers.c.tasks, answers.c.import_id).where(
        *_MINE, answers.c.created_at > bindparam("too_old")
    )
)
_KEEP = Statement(update(answers).where(*_MINE).values(tasks=bindparam("tasks"), import_id=bindparam("import_id")))
_FORGET = Statement(delete(answers).where(answers.c.created_at <= bindparam("too_old")))


class SqlAnswers:
    """The answers, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, caller_id: UUID, once: Once, now: datetime, kept_for: timedelta) -> bool:
        cursor = await _CLAIM.run(
            self._connection,
            caller_id=caller_id,
            key=once.key,
            digest=once.digest,
            now=now,
            too_old=now - kept_for,
        )
        return await cursor.fetchone() is not None

    async def has(self, caller_id: UUID, key: str, now: datetime, kept_for: timedelta) -> bool:
        cursor = await _FIND.run(self._connection, of_caller=caller_id, of_key=key, too_old=now - kept_for)
        return await cursor.fetchone() is not None

    async def find(self, caller_id: UUID, once: Once, now: datetime, kept_for: timedelta) -> Answer | None:
        cursor = await _FIND.run(self._connection, of_caller=caller_id, of_key=once.key, too_old=now - kept_for)
        row = await cursor.fetchone()
        if row is None:
            return None
        digest, tasks, import_id = row
        if digest != once.digest:
            raise IdempotencyKeyReused
        return Answer(tuple(map(task_of, tasks)), import_id)

    async def keep(self, caller_id: UUID, once: Once, answer: Answer) -> None:
        tasks = Jsonb([json_of(task) for task in answer.tasks])
        await _KEEP.run(self._connection, of_caller=caller_id, of_key=once.key, tasks=tasks, import_id=answer.import_id)

    async def forget(self, before: datetime) -> int:
        cursor = await _FORGET.run(self._connection, too_old=before)
        return cursor.rowcount
