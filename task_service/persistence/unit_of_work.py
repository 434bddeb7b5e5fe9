"""The repositories of schema `tasks` around one connection."""

from chassis.database.pool import Connection
from chassis.database.unit_of_work import ReadSession, SqlUnitOfWork
from task_service.history.persistence.events import SqlEvents
from task_service.idempotency.records import SqlAnswers
from task_service.imports.persistence.dry_run import SqlRehearsals
from task_service.imports.persistence.import_queue import SqlImportQueue
from task_service.imports.persistence.imports import SqlImports
from task_service.imports.persistence.ingest import SqlIngest
from task_service.imports.persistence.undos import SqlUndos
from task_service.imports.persistence.uploads import SqlUploads
from task_service.tasks.persistence.tasks import SqlTasks


class _Repositories:
    answers: SqlAnswers
    tasks: SqlTasks
    events: SqlEvents
    uploads: SqlUploads
    import_queue: SqlImportQueue
    imports: SqlImports
    ingest: SqlIngest
    rehearsals: SqlRehearsals
    undos: SqlUndos

    def bind(self, connection: Connection) -> None:
        self.answers = SqlAnswers(connection)
        self.tasks = SqlTasks(connection)
        self.events = SqlEvents(connection)
        self.uploads = SqlUploads(connection)
        self.import_queue = SqlImportQueue(connection)
        self.imports = SqlImports(connection)
        self.ingest = SqlIngest(connection)
        self.rehearsals = SqlRehearsals(connection)
        self.undos = SqlUndos(connection)


class SqlTasksReading(_Repositories, ReadSession):
    """A look at the data."""


class SqlTasksUnitOfWork(_Repositories, SqlUnitOfWork):
    """A transaction."""
