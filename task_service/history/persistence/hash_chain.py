"""Seals in Postgres: it computes the digests and keeps them without a row passing through here."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from task_service.history.domain.event_log import Place
from task_service.history.domain.hash_chain import FreeText, Head, Seal, Standing

SEALED_COLUMNS = (
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
"""What must not change, in the order of the digest. With a column more or less it is another, and no seal holds."""

# As text that no setting of a connection has a say in: times in microseconds, bytes in hexadecimal.
_AS_TEXT = {
    "occurred_at": "CAST(extract(epoch FROM occurred_at) * 1000000 AS bigint)",
    "free_text_digest": "encode(free_text_digest, 'hex')",
}
_VALUES = ", ".join(_AS_TEXT.get(name, name) for name in SEALED_COLUMNS)
DIGEST = f"sha256(convert_to(CAST(json_build_array({_VALUES}) AS text), 'UTF8'))"
"""An event's digest: the only place that says what it is."""

_FREE_TEXT = f"""
    CASE
        WHEN free_text IS NULL AND salt IS NULL THEN
            CASE WHEN free_text_digest IS NULL THEN '{FreeText.NONE}' ELSE '{FreeText.ERASED}' END
        WHEN sha256(salt || convert_to(free_text, 'UTF8')) = free_text_digest THEN '{FreeText.KEPT}'
        ELSE '{FreeText.CHANGED}'
    END
"""

_BEHIND = "(xid, id) > (CAST(:after_xid AS xid8), :after_id)"
_XID_NUMBER = "CAST(CAST({} AS text) AS bigint)"

# Whoever comes second leaves it to the first. Asked in a statement of its own, before: the next one sees what the
# first has committed. And whatever statistics say just then, a seal must not sort all that waits behind a big import.
_TURN = Statement(
    text("""
    SELECT
        pg_try_advisory_xact_lock(hashtext('tasks.history_blocks')),
        set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)
    """)
)
_HEAD = Statement(
    text(f"""
    SELECT number, hash, events_in_all, {_XID_NUMBER.format("last_xid")}, last_id, sealed_at
    FROM tasks.history_blocks ORDER BY number DESC LIMIT 1
    """)  # noqa: S608 - constants
)
# Read like any reader's page: no lock that a writer could wait for, and nothing of a transaction that still runs or is
# behind one that does.
_ADD = Statement(
    text(f"""
    INSERT INTO tasks.history_blocks
        (number, events, events_in_all, last_xid, last_id, manifest, hash_before, hash, sealed_at)
    SELECT
        :number, events, :events_before + events, last_xid,
        CAST(encode(substring(manifest FROM octet_length(manifest) - 47 FOR 16), 'hex') AS uuid), manifest,
        :hash_before,
        sha256(
            CAST(:hash_before AS bytea) || int8send(:number) || int8send(events)
            || int8send(CAST(extract(epoch FROM now()) * 1000000 AS bigint)) || manifest
        ),
        now()
    FROM (
        SELECT
            count(*) AS events, max(xid) AS last_xid,
            string_agg(uuid_send(id) || digest, CAST('' AS bytea) ORDER BY xid, id) AS manifest
        FROM (
            SELECT xid, id, {DIGEST} AS digest FROM tasks.task_events
            WHERE {_BEHIND} AND xid < pg_snapshot_xmin(pg_current_snapshot())
            ORDER BY xid, id LIMIT :most
        ) AS piece
    ) AS found
    WHERE events > 0
    RETURNING events
    """)  # noqa: S608 - constants
)
_FOLLOWING = Statement(
    text(f"""
    SELECT number, events, events_in_all, {_XID_NUMBER.format("last_xid")}, last_id, manifest, hash_before, hash,
        sealed_at
    FROM tasks.history_blocks WHERE number > :number ORDER BY number LIMIT :most
    """)  # noqa: S608 - constants
)
_STANDING = Statement(
    text(f"""
    SELECT {_XID_NUMBER.format("xid")} AS transaction, id, {DIGEST}, {_FREE_TEXT}
    FROM tasks.task_events WHERE {_BEHIND} ORDER BY xid, id LIMIT :most
    """)  # noqa: S608 - constants
)
_COUNT_BEHIND = Statement(text(f"SELECT count(*) FROM tasks.task_events WHERE {_BEHIND}"))  # noqa: S608 - constants
_IS_THERE = Statement(text("SELECT EXISTS (SELECT FROM tasks.task_events WHERE id = :event_id)"))


class SqlSeals:
    """The seals, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def take_turn(self) -> bool:
        return bool(await self._one(_TURN))

    async def head(self) -> Head:
        row = await (await _HEAD.run(self._connection)).fetchone()
        if row is None:
            return Head()
        number, digest, events, xid, event_id, sealed_at = row
        return Head(number, digest, events, Place(xid, event_id), sealed_at)

    async def add(self, head: Head, most: int) -> int:
        cursor = await _ADD.run(
            self._connection,
            number=head.number + 1,
            events_before=head.events,
            hash_before=head.hash,
            most=most,
            **_behind(head.place),
        )
        row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def following(self, number: int, most: int) -> list[Seal]:
        cursor = await _FOLLOWING.run(self._connection, number=number, most=most)
        return [
            Seal(number, events, in_all, Place(xid, event_id), *rest)
            for number, events, in_all, xid, event_id, *rest in await cursor.fetchall()
        ]

    async def standing(self, after: Place, most: int) -> list[Standing]:
        cursor = await _STANDING.run(self._connection, most=most, **_behind(after))
        return [
            Standing(Place(xid, event_id), digest, FreeText(free_text))
            for xid, event_id, digest, free_text in await cursor.fetchall()
        ]

    async def count_behind(self, place: Place) -> int:
        return int(await self._one(_COUNT_BEHIND, **_behind(place)))

    async def is_there(self, event_id: UUID) -> bool:
        return bool(await self._one(_IS_THERE, event_id=event_id))

    async def _one(self, statement: Statement, **values: object) -> Any:
        row = await (await statement.run(self._connection, **values)).fetchone()
        return row[0] if row else None


def _behind(place: Place) -> dict[str, object]:
    # A transaction's number as text: the driver has no type for it.
    return {"after_xid": str(place.transaction), "after_id": place.event_id}
