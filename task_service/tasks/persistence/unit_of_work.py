"""Sessions and unit of work of the use cases about tasks, in Postgres."""

from chassis.database.connection import Connection
from chassis.database.scan_session import SqlScanSession
from chassis.database.unit_of_work import SqlReadSession, SqlUnitOfWork
from task_service.history.persistence.events import SqlEvents
from task_service.idempotency.sql_records import SqlIdempotencyRecords
from task_service.tasks.persistence.task_lists import SqlTaskLists
from task_service.tasks.persistence.tasks import SqlTasks


class _Repositories:
    tasks: SqlTasks
    task_lists: SqlTaskLists
    events: SqlEvents
    idempotency: SqlIdempotencyRecords

    def bind(self, connection: Connection) -> None:
        self.tasks = SqlTasks(connection)
        self.task_lists = SqlTaskLists(connection)
        self.events = SqlEvents(connection)
        self.idempotency = SqlIdempotencyRecords(connection)

    async def flush(self) -> None:
        await self.events.insert_recorded()


class SqlTasksReadSession(_Repositories, SqlReadSession):
    """Read session. Each statement is a transaction of its own."""


class SqlTasksScanSession(_Repositories, SqlScanSession):
    """Session for lists, counts and exports that no index serves."""


class SqlTasksUnitOfWork(_Repositories, SqlUnitOfWork):
    """Unit of work with the repositories of tasks, events and idempotency records."""
