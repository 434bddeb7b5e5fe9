"""gRPC services of this process with their servicers, and the statuses of their errors."""

from collections.abc import Sequence

from taskmanager.imports.v1 import (
    import_ingest_service_pb2,
    import_ingest_service_pb2_grpc,
    import_service_pb2,
    import_service_pb2_grpc,
)
from taskmanager.tasks.v1 import (
    history_service_pb2,
    history_service_pb2_grpc,
    task_service_pb2,
    task_service_pb2_grpc,
)

from chassis.rpc.errors import StatusTable
from chassis.rpc.server import Registration
from task_service.bootstrap import UseCases
from task_service.history.transport.history_servicer import HistoryServicer
from task_service.history.transport.status import STATUS as HISTORY_STATUS
from task_service.imports.domain.imports import RecordLimits
from task_service.imports.transport.import_servicer import ImportServicer
from task_service.imports.transport.ingest_servicer import IngestServicer
from task_service.imports.transport.status import STATUS as IMPORT_STATUS
from task_service.settings import TasksSettings
from task_service.tasks.transport.status import STATUS as TASK_STATUS
from task_service.tasks.transport.task_servicer import TaskServicer

STATUS: StatusTable = {**HISTORY_STATUS, **TASK_STATUS, **IMPORT_STATUS}


def create_registrations(settings: TasksSettings, use_cases: UseCases) -> Sequence[Registration]:
    """Return one registration per gRPC service."""
    limits = RecordLimits(record_bytes=settings.max_record_bytes, cell_characters=settings.max_cell_characters)
    idle_timeout_seconds = settings.upload_idle_timeout_seconds
    return (
        Registration(
            task_service_pb2.DESCRIPTOR.services_by_name["TaskService"],
            task_service_pb2_grpc.add_TaskServiceServicer_to_server,
            TaskServicer(use_cases.tasks),
        ),
        Registration(
            history_service_pb2.DESCRIPTOR.services_by_name["HistoryService"],
            history_service_pb2_grpc.add_HistoryServiceServicer_to_server,
            HistoryServicer(use_cases.history),
        ),
        Registration(
            import_service_pb2.DESCRIPTOR.services_by_name["ImportService"],
            import_service_pb2_grpc.add_ImportServiceServicer_to_server,
            ImportServicer(use_cases.imports, idle_timeout_seconds=idle_timeout_seconds),
        ),
        Registration(
            import_ingest_service_pb2.DESCRIPTOR.services_by_name["ImportIngestService"],
            import_ingest_service_pb2_grpc.add_ImportIngestServiceServicer_to_server,
            IngestServicer(use_cases.imports, limits=limits),
        ),
    )
