"""Idempotency records in Postgres."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import bindparam, select, text, update

from chassis.database.connection import Connection
from chassis.database.statement import Statement, delete_batch
from task_service.idempotency.errors import IdempotencyKeyReused
from task_service.idempotency.key import IdempotencyKey
from task_service.idempotency.records import RETENTION
from task_service.persistence.tables import idempotency_keys

# A concurrent request with the same key waits here for the first one's commit, and then finds its row. An expired row
# is overwritten.
_CLAIM = Statement(
    text("""
    INSERT INTO idempotency_keys AS existing (caller_id, key, fingerprint, response, created_at)
    VALUES (:caller_id, :key, :fingerprint, 'null', :now)
    ON CONFLICT (caller_id, key) DO UPDATE SET
        fingerprint = excluded.fingerprint, response = 'null', created_at = excluded.created_at
    WHERE existing.created_at <= :expired_before
    RETURNING 1
    """)
)
_HAS_KEY = (
    idempotency_keys.c.caller_id == bindparam("where_caller_id"),
    idempotency_keys.c.key == bindparam("where_key"),
)
_FIND = Statement(
    select(idempotency_keys.c.fingerprint, idempotency_keys.c.response).where(
        *_HAS_KEY, idempotency_keys.c.created_at > bindparam("expired_before")
    )
)
_STORE = Statement(update(idempotency_keys).where(*_HAS_KEY).values(response=bindparam("response")))
_DELETE_EXPIRED = delete_batch(idempotency_keys, idempotency_keys.c.created_at <= bindparam("expired_before"))


class SqlIdempotencyRecords:
    """Repository of idempotency records on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, caller_id: UUID, key: IdempotencyKey, now: datetime) -> bool:
        claimed = await _CLAIM.fetch_one(
            self._connection,
            caller_id=caller_id,
            key=key.key,
            fingerprint=key.fingerprint,
            now=now,
            expired_before=now - RETENTION,
        )
        return claimed is not None

    async def exists(self, caller_id: UUID, key: str, now: datetime) -> bool:
        return await self._find(caller_id, key, now) is not None

    async def find(self, caller_id: UUID, key: IdempotencyKey, now: datetime) -> Any | None:
        row = await self._find(caller_id, key.key, now)
        if row is None:
            return None
        fingerprint, response = row
        if fingerprint != key.fingerprint:
            raise IdempotencyKeyReused
        return response

    async def store(self, caller_id: UUID, key: IdempotencyKey, body: Any) -> None:
        await _STORE.run(self._connection, where_caller_id=caller_id, where_key=key.key, response=Jsonb(body))

    async def delete_expired(self, now: datetime, limit: int) -> int:
        return await _DELETE_EXPIRED.execute(self._connection, expired_before=now - RETENTION, limit=limit)

    async def _find(self, caller_id: UUID, key: str, now: datetime) -> tuple[bytes, Any] | None:
        cursor = await _FIND.run(
            self._connection, where_caller_id=caller_id, where_key=key, expired_before=now - RETENTION
        )
        row = await cursor.fetchone()
        return None if row is None else (row[0], row[1])
