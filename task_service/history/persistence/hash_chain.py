"""Hash chain in Postgres. The database computes digests and appends blocks; no event passes through this process."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from chassis.database.connection import Connection
from chassis.database.statement import Statement
from task_service.history.domain.event_log import LogPosition
from task_service.history.domain.hash_chain import Block, ChainHead, FreeTextState, StoredEvent

_DIGEST_1_COLUMNS = (
    "id",
    "task_id",
    "owner_id",
    "assignee_id",
    "action",
    "actor_id",
    "actor_role",
    "occurred_at",
    "request_id",
    "changes",
    "free_text_digest",
)
DIGEST_COLUMNS = (*_DIGEST_1_COLUMNS, "revision", "transaction_number")
"""Columns in an event's digest, in order. Adding or removing one needs a new version of the digest."""

# Text that does not depend on connection settings: times in microseconds, bytes in hexadecimal.
_TEXT_EXPRESSIONS = {
    "occurred_at": "CAST(extract(epoch FROM occurred_at) * 1000000 AS bigint)",
    "free_text_digest": "encode(free_text_digest, 'hex')",
}


def _digest(*values: str) -> str:
    return f"sha256(convert_to(CAST(json_build_array({', '.join(values)}) AS text), 'UTF8'))"


DIGEST_VERSION = 2
"""Version of the digests in new blocks."""

DIGESTS = {
    1: _digest(*(_TEXT_EXPRESSIONS.get(name, name) for name in _DIGEST_1_COLUMNS)),
    DIGEST_VERSION: _digest(str(DIGEST_VERSION), *(_TEXT_EXPRESSIONS.get(name, name) for name in DIGEST_COLUMNS)),
}
"""SQL expression of an event's digest, by version; the only definition. Version 1 lacks the event's order."""

_FREE_TEXT_STATE = f"""
    CASE
        WHEN free_text IS NULL AND salt IS NULL THEN
            CASE WHEN free_text_digest IS NULL THEN '{FreeTextState.NONE}' ELSE '{FreeTextState.ERASED}' END
        WHEN sha256(salt || convert_to(free_text, 'UTF8')) = free_text_digest THEN '{FreeTextState.INTACT}'
        ELSE '{FreeTextState.MODIFIED}'
    END
"""

_AFTER = "(transaction_number, id) > (:after_transaction, :after_id)"

# Advisory lock: a second process that appends blocks gives up. The lock needs a statement of its own, so that the next
# statement sees all that the lock's previous holder has committed. The settings force the index: after a big import
# the planner could otherwise choose to sort all events that are in no block yet.
_LOCK = Statement(
    text("""
    SELECT
        pg_try_advisory_xact_lock(hashtext('tasks.history_blocks')),
        set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)
    """)
)
_HEAD = Statement(
    text("""
    SELECT number, hash, total_events, last_transaction_number, last_event_id, sealed_at
    FROM history_blocks ORDER BY number DESC LIMIT 1
    """)
)
# Reads below the same horizon as every reader of the log, and takes no lock that a writer could wait for.
_APPEND = Statement(
    text(f"""
    INSERT INTO history_blocks
        (number, event_count, total_events, last_transaction_number, last_event_id, manifest, digest_version,
         previous_hash, hash, sealed_at)
    SELECT
        :number, event_count, :total_events + event_count, last_transaction_number,
        CAST(encode(substring(manifest FROM octet_length(manifest) - 47 FOR 16), 'hex') AS uuid), manifest,
        {DIGEST_VERSION},
        :previous_hash,
        sha256(
            CAST(:previous_hash AS bytea) || int8send({DIGEST_VERSION}) || int8send(:number) || int8send(event_count)
            || int8send(CAST(extract(epoch FROM now()) * 1000000 AS bigint)) || manifest
        ),
        now()
    FROM (
        SELECT
            count(*) AS event_count, max(transaction_number) AS last_transaction_number,
            string_agg(uuid_send(id) || digest, CAST('' AS bytea) ORDER BY transaction_number, id) AS manifest
        FROM (
            SELECT transaction_number, id, {DIGESTS[DIGEST_VERSION]} AS digest FROM task_events
            WHERE {_AFTER} AND transaction_number < :horizon
            ORDER BY transaction_number, id LIMIT :limit
        ) AS next_events
    ) AS block
    WHERE event_count > 0
    RETURNING event_count
    """)  # noqa: S608 - constants
)
_BLOCKS_AFTER = Statement(
    text("""
    SELECT number, event_count, total_events, last_transaction_number, last_event_id, manifest, digest_version,
        previous_hash, hash, sealed_at
    FROM history_blocks WHERE number > :number ORDER BY number LIMIT :limit
    """)
)
_STORED_EVENTS = {
    version: Statement(
        text(f"""
        SELECT transaction_number, id, {digest}, {_FREE_TEXT_STATE}
        FROM task_events WHERE {_AFTER} ORDER BY transaction_number, id LIMIT :limit
        """)  # noqa: S608 - constants
    )
    for version, digest in DIGESTS.items()
}
_COUNT_AFTER = Statement(text(f"SELECT count(*) FROM task_events WHERE {_AFTER}"))  # noqa: S608 - constants
_EXISTS = Statement(text("SELECT EXISTS (SELECT FROM task_events WHERE id = :event_id)"))


class SqlBlocks:
    """Hash chain on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def try_lock(self) -> bool:
        return bool(await self._scalar(_LOCK))

    async def head(self) -> ChainHead:
        row = await _HEAD.fetch_one(self._connection)
        if row is None:
            return ChainHead()
        number, block_hash, total_events, transaction, event_id, sealed_at = row
        return ChainHead(number, block_hash, total_events, LogPosition(transaction, event_id), sealed_at)

    async def append(self, head: ChainHead, horizon: int, limit: int) -> int:
        row = await _APPEND.fetch_one(
            self._connection,
            number=head.number + 1,
            total_events=head.total_events,
            previous_hash=head.hash,
            horizon=horizon,
            limit=limit,
            **_after(head.position),
        )
        return int(row[0]) if row else 0

    async def list_after(self, number: int, limit: int) -> list[Block]:
        cursor = await _BLOCKS_AFTER.run(self._connection, number=number, limit=limit)
        return [
            Block(number, event_count, total_events, LogPosition(transaction, event_id), *rest)
            for number, event_count, total_events, transaction, event_id, *rest in await cursor.fetchall()
        ]

    async def stored_events_after(self, position: LogPosition, limit: int, digest_version: int) -> list[StoredEvent]:
        cursor = await _STORED_EVENTS[digest_version].run(self._connection, limit=limit, **_after(position))
        return [
            StoredEvent(LogPosition(transaction, event_id), digest, FreeTextState(free_text))
            for transaction, event_id, digest, free_text in await cursor.fetchall()
        ]

    async def count_events_after(self, position: LogPosition) -> int:
        return int(await self._scalar(_COUNT_AFTER, **_after(position)))

    async def event_exists(self, event_id: UUID) -> bool:
        return bool(await self._scalar(_EXISTS, event_id=event_id))

    async def _scalar(self, statement: Statement, **values: object) -> Any:
        row = await statement.fetch_one(self._connection, **values)
        return row[0] if row else None


def _after(position: LogPosition) -> dict[str, object]:
    return {"after_transaction": position.transaction, "after_id": position.event_id}
