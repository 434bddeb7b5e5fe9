"""Sessions of the use cases about tasks."""

from chassis.database.pool import Connection
from chassis.database.unit_of_work import SqlReadSession, SqlUnitOfWork
from task_service.history.persistence.events import SqlEvents
from task_service.idempotency.sql_records import SqlIdempotencyRecords
from task_service.tasks.persistence.tasks import SqlTasks


class _Repositories:
    tasks: SqlTasks
    events: SqlEvents
    idempotency: SqlIdempotencyRecords

    def bind(self, connection: Connection) -> None:
        self.tasks = SqlTasks(connection)
        self.events = SqlEvents(connection)
        self.idempotency = SqlIdempotencyRecords(connection)


class SqlTasksReadSession(_Repositories, SqlReadSession):
    """Connection for reads, each statement in a transaction of its own."""


class SqlTasksUnitOfWork(_Repositories, SqlUnitOfWork):
    """Transaction."""
