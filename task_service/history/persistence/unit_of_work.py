"""Read session and unit of work of the history use cases, in Postgres."""

from chassis.database.connection import Connection
from chassis.database.unit_of_work import SqlReadSession, SqlUnitOfWork
from task_service.history.persistence.event_log import SqlEventLog
from task_service.history.persistence.events import SqlEvents
from task_service.history.persistence.hash_chain import SqlBlocks


class _Repositories:
    events: SqlEvents
    event_log: SqlEventLog
    blocks: SqlBlocks

    def bind(self, connection: Connection) -> None:
        self.events = SqlEvents(connection)
        self.event_log = SqlEventLog(connection)
        self.blocks = SqlBlocks(connection)

    async def flush(self) -> None:
        await self.events.insert_recorded()


class SqlHistoryReadSession(_Repositories, SqlReadSession):
    """Read session. Each statement is a transaction of its own."""


class SqlHistoryUnitOfWork(_Repositories, SqlUnitOfWork):
    """Unit of work with the repositories of events, event log and blocks."""
