"""Sessions of the use cases about imports.

A batch is one transaction over imports, tasks and history. The imports' unit of work opens it and lends its connection
to the repositories of the other two.
"""

from chassis.database.connection import Connection
from chassis.database.unit_of_work import SqlReadSession, SqlUnitOfWork
from task_service.history.persistence.events import SqlEvents
from task_service.idempotency.sql_records import SqlIdempotencyRecords
from task_service.imports.persistence.dry_run import SqlDryRunState
from task_service.imports.persistence.import_queue import SqlImportQueue
from task_service.imports.persistence.imports import SqlImports
from task_service.imports.persistence.ingest import SqlIngest
from task_service.imports.persistence.undos import SqlUndos
from task_service.imports.persistence.uploads import SqlUploads
from task_service.tasks.persistence.tasks import SqlTasks


class _Repositories:
    uploads: SqlUploads
    imports: SqlImports
    import_queue: SqlImportQueue
    ingest: SqlIngest
    dry_run: SqlDryRunState
    undos: SqlUndos
    tasks: SqlTasks
    events: SqlEvents
    idempotency: SqlIdempotencyRecords

    def bind(self, connection: Connection) -> None:
        self.uploads = SqlUploads(connection)
        self.imports = SqlImports(connection)
        self.import_queue = SqlImportQueue(connection)
        self.dry_run = SqlDryRunState(connection)
        self.undos = SqlUndos(connection)
        self.tasks = SqlTasks(connection)
        self.events = SqlEvents(connection)
        self.ingest = SqlIngest(connection, self.events)
        self.idempotency = SqlIdempotencyRecords(connection)

    async def flush(self) -> None:
        await self.events.insert_recorded()


class SqlImportsReadSession(_Repositories, SqlReadSession):
    """Read session. Each statement is a transaction of its own."""


class SqlImportsUnitOfWork(_Repositories, SqlUnitOfWork):
    """Transaction."""
