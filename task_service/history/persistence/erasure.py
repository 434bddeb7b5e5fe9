"""Erasure of free text from history, as the schema's owner. The service's own role can only add events.

Each batch is a separate transaction and locks at most a few thousand rows.
"""

from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy import text

from chassis.database.connection import Connection
from chassis.database.statement import Statement
from task_service.history.domain.event_log import LOG_START, LogPosition

BATCH_SIZE = 2000

# Reads page by page along the log's index. A search for the owner's next events would, in every batch, read all rows
# that are already erased.
_ERASE_OWNER = Statement(
    text("""
    WITH page AS (
        SELECT transaction_number, id, task_id, revision, owner_id = :owner_id AND free_text IS NOT NULL AS to_erase
        FROM task_events
        WHERE (transaction_number, id) > (:after_transaction, :after_id)
        ORDER BY transaction_number, id LIMIT :limit
    ), erased AS (
        UPDATE task_events e SET free_text = NULL, salt = NULL
        FROM page WHERE page.to_erase AND e.task_id = page.task_id AND e.revision = page.revision
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM erased), transaction_number, id
    FROM page ORDER BY transaction_number DESC, id DESC LIMIT 1
    """)
)
_ERASE_TASK = Statement(
    text("""
    UPDATE task_events SET free_text = NULL, salt = NULL
    WHERE task_id = :task_id AND revision IN (
        SELECT revision FROM task_events WHERE task_id = :task_id AND free_text IS NOT NULL LIMIT :limit
    )
    """)
)


class SqlErasure:
    """Erasure on an autocommit connection of the schema's owner. Yields the number of events of each batch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def erase_owner(self, owner_id: UUID) -> AsyncIterator[int]:
        """Erase the events of all tasks that the user owned when the events happened."""
        position = LOG_START
        while True:
            row = await _ERASE_OWNER.fetch_one(
                self._connection,
                owner_id=owner_id,
                after_transaction=position.transaction,
                after_id=position.event_id,
                limit=BATCH_SIZE,
            )
            if row is None:
                return
            erased, *last = row
            position = LogPosition(*last)
            yield erased

    async def erase_task(self, task_id: UUID) -> AsyncIterator[int]:
        """Erase the events of one task."""
        while erased := (await _ERASE_TASK.run(self._connection, task_id=task_id, limit=BATCH_SIZE)).rowcount:
            yield erased
