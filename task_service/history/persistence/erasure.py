"""Erasing the free text of history. Only the schema's owner may: the service's role can add events and nothing else.

Each call is a transaction of its own and holds the locks of a few thousand rows at the most.
"""

from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy import text

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from task_service.history.domain.event_log import BEGINNING, Place

AT_A_TIME = 2000

# By the log's own index, page by page: a look for the owner's next events would read what is empty again each time.
_OF_OWNER = Statement(
    text("""
    WITH page AS (
        SELECT xid, id, task_id, owner_id = :owner_id AND free_text IS NOT NULL AS to_erase
        FROM tasks.task_events
        WHERE (xid, id) > (CAST(:after_xid AS xid8), :after_id)
        ORDER BY xid, id LIMIT :most
    ), erased AS (
        UPDATE tasks.task_events e SET free_text = NULL, salt = NULL
        FROM page WHERE page.to_erase AND e.task_id = page.task_id AND e.id = page.id
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM erased), CAST(CAST(xid AS text) AS bigint), id
    FROM page ORDER BY xid DESC, id DESC LIMIT 1
    """)
)
_OF_TASK = Statement(
    text("""
    UPDATE tasks.task_events SET free_text = NULL, salt = NULL
    WHERE task_id = :task_id AND id IN (
        SELECT id FROM tasks.task_events WHERE task_id = :task_id AND free_text IS NOT NULL LIMIT :most
    )
    """)
)


class SqlErasure:
    """Erases, on a connection of the schema's owner in autocommit. Each batch answers how many events it emptied."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of_owner(self, owner_id: UUID) -> AsyncIterator[int]:
        """Empties the events of all tasks that a user owned then."""
        place = BEGINNING
        while True:
            cursor = await _OF_OWNER.run(
                self._connection,
                owner_id=owner_id,
                after_xid=str(place.transaction),
                after_id=place.event_id,
                most=AT_A_TIME,
            )
            row = await cursor.fetchone()
            if row is None:
                return
            erased, *last = row
            place = Place(*last)
            yield erased

    async def of_task(self, task_id: UUID) -> AsyncIterator[int]:
        """Empties the events of one task."""
        while erased := (await _OF_TASK.run(self._connection, task_id=task_id, most=AT_A_TIME)).rowcount:
            yield erased
