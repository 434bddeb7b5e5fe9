"""The use cases, each with what it needs, behind their servicers."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

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
from uuid_utils.compat import uuid7

from chassis.rpc.server import Registration
from task_service.history.transport.history_servicer import HistoryServicer
from task_service.history.usecases.events import ListEvents, WatchEvents
from task_service.history.usecases.hash_chain import AppendBlocks, GetAuditHead
from task_service.history.usecases.ports import HistoryReadSession, HistoryUnitOfWork
from task_service.history.usecases.use_cases import HistoryUseCases
from task_service.idempotency.transaction import KEPT_FOR, Changes, OneEffect
from task_service.imports.domain.csv_header import HeaderLimits
from task_service.imports.domain.imports import RecordLimits
from task_service.imports.transport.import_servicer import ImportServicer
from task_service.imports.transport.ingest_servicer import IngestServicer
from task_service.imports.usecases.dispatch import WakeWorkers
from task_service.imports.usecases.imports import (
    CancelImport,
    DownloadImportErrors,
    DownloadImportTemplate,
    GetImport,
    ListImportErrors,
    ListImports,
    WatchImport,
)
from task_service.imports.usecases.ingest import (
    ClaimNextImport,
    FinishIngest,
    ForgetRehearsals,
    GiveBack,
    IngestBatch,
    OpenIngest,
    PrepareBatch,
    ReadUpload,
)
from task_service.imports.usecases.ports import BulkRows, ImportSignals, ObjectStore, WakeUps
from task_service.imports.usecases.undo import ListUndoConflicts, RunUndos, UndoImport
from task_service.imports.usecases.uploads import ExpireUploads, SweepUploads, UploadImport
from task_service.imports.usecases.write_rows import WriteRows
from task_service.settings import TasksSettings
from task_service.tasks.transport.task_servicer import TaskServicer
from task_service.tasks.usecases.batches import BatchCreateTasks, BatchDeleteTasks, BatchUpdateTasks
from task_service.tasks.usecases.events import ListTaskEvents
from task_service.tasks.usecases.export import ExportTasks
from task_service.tasks.usecases.ports import Reading, UnitOfWork, UserDirectory
from task_service.tasks.usecases.tasks import CreateTask, GetTask, GetTaskStats, ListTasks, UpdateTask
from task_service.tasks.usecases.trash import DeleteTask, EmptyTrash, ForgetAnswers, PurgeTask, UndeleteTask


def _now() -> datetime:
    return datetime.now(UTC)


class Wiring:
    """The use cases, each with what it needs."""

    def __init__(
        self,
        *,
        settings: TasksSettings,
        begin: Callable[[], UnitOfWork],
        read: Callable[[], Reading],
        bulk_rows: BulkRows,
        begin_history: Callable[[], HistoryUnitOfWork],
        read_history: Callable[[], HistoryReadSession],
        user_directory: UserDirectory,
        store: ObjectStore,
        signals: ImportSignals,
        wake_ups: WakeUps,
    ) -> None:
        self.something_queued = asyncio.Event()
        self.undo_asked = asyncio.Event()
        self.draining = asyncio.Event()
        self._begin = begin
        self._read = read
        self._bulk_rows = bulk_rows
        self._settings = settings
        self._user_directory = user_directory
        self._store = store
        self._signals = signals
        self.wake_workers = WakeWorkers(
            begin=self._begin, wake_ups=wake_ups, at_once=settings.max_concurrent_imports_per_owner
        )
        self.sweep_uploads = SweepUploads(
            begin=self._begin,
            read=self._read,
            store=store,
            now=_now,
            older_than=timedelta(seconds=settings.max_upload_seconds),
        )
        self.expire_uploads = ExpireUploads(
            begin=self._begin,
            read=self._read,
            store=store,
            now=_now,
            keep=timedelta(seconds=settings.upload_retention_seconds),
        )

        trash_time = timedelta(days=settings.trash_retention_days)
        self.run_undos = RunUndos(begin=self._begin, now=_now, new_id=uuid7, kept_for=trash_time)
        self.empty_trash = EmptyTrash(begin=self._begin, now=_now, new_id=uuid7)
        self.forget_rehearsals = ForgetRehearsals(begin=self._begin)
        self.forget_answers = ForgetAnswers(begin=self._begin, now=_now, kept_for=KEPT_FOR)

        self.history = HistoryUseCases(
            list_task_events=ListTaskEvents(read=self._read),
            list_events=ListEvents(read=read_history),
            watch_events=WatchEvents(read=read_history, sleep=asyncio.sleep, is_draining=self.draining.is_set),
            get_audit_head=GetAuditHead(read=read_history),
            append_blocks=AppendBlocks(begin=begin_history, sleep=asyncio.sleep),
        )

    def registrations(self) -> list[Registration]:
        """Every servicer of this service."""
        return [
            Registration(
                task_service_pb2.DESCRIPTOR.services_by_name["TaskService"],
                task_service_pb2_grpc.add_TaskServiceServicer_to_server,
                self._tasks(),
            ),
            Registration(
                history_service_pb2.DESCRIPTOR.services_by_name["HistoryService"],
                history_service_pb2_grpc.add_HistoryServiceServicer_to_server,
                HistoryServicer(self.history),
            ),
            Registration(
                import_service_pb2.DESCRIPTOR.services_by_name["ImportService"],
                import_service_pb2_grpc.add_ImportServiceServicer_to_server,
                self._imports(),
            ),
            Registration(
                import_ingest_service_pb2.DESCRIPTOR.services_by_name["ImportIngestService"],
                import_ingest_service_pb2_grpc.add_ImportIngestServiceServicer_to_server,
                self._ingest(),
            ),
        ]

    def _tasks(self) -> TaskServicer:
        changes = Changes(begin=self._begin, read=self._read, now=_now, new_id=uuid7)
        create_task = CreateTask(changes=changes, user_directory=self._user_directory)
        update_task = UpdateTask(changes=changes, user_directory=self._user_directory)
        delete_task = DeleteTask(changes=changes, kept_for=timedelta(days=self._settings.trash_retention_days))
        return TaskServicer(
            create_task=create_task,
            get_task=GetTask(read=self._read),
            list_tasks=ListTasks(read=self._read, now=_now),
            export_tasks=ExportTasks(read=self._read, user_directory=self._user_directory, now=_now),
            update_task=update_task,
            delete_task=delete_task,
            undelete_task=UndeleteTask(changes=changes),
            purge_task=PurgeTask(changes=changes),
            get_task_stats=GetTaskStats(read=self._read, now=_now),
            batch_create_tasks=BatchCreateTasks(changes=changes, create_task=create_task),
            batch_update_tasks=BatchUpdateTasks(changes=changes, update_task=update_task),
            batch_delete_tasks=BatchDeleteTasks(changes=changes, delete_task=delete_task),
        )

    def _imports(self) -> ImportServicer:
        effect = OneEffect(begin=self._begin, read=self._read, now=_now)
        get_import = GetImport(read=self._read)
        return ImportServicer(
            upload_import=UploadImport(
                effect=effect,
                begin=self._begin,
                read=self._read,
                user_directory=self._user_directory,
                store=self._store,
                now=_now,
                new_id=uuid7,
                most_bytes=self._settings.max_upload_bytes,
                most_kept=self._settings.max_stored_bytes_per_owner,
                header_limits=HeaderLimits(
                    line_bytes=self._settings.max_header_bytes, columns=self._settings.max_columns
                ),
                queued=self.something_queued.set,
            ),
            get_import=get_import,
            list_imports=ListImports(read=self._read),
            watch_import=WatchImport(get_import=get_import, signals=self._signals, draining=self.draining.is_set),
            list_import_errors=ListImportErrors(read=self._read, get_import=get_import),
            download_import_errors=DownloadImportErrors(read=self._read, get_import=get_import),
            download_import_template=DownloadImportTemplate(),
            cancel_import=CancelImport(effect=effect, get_import=get_import),
            undo_import=UndoImport(effect=effect, get_import=get_import, asked=self.undo_asked.set),
            list_undo_conflicts=ListUndoConflicts(read=self._read, get_import=get_import),
            idle_seconds=self._settings.upload_idle_timeout_seconds,
        )

    def _ingest(self) -> IngestServicer:
        lease = self._settings.lease_seconds
        write_rows = WriteRows(bulk_rows=self._bulk_rows, now=_now, new_id=uuid7)
        prepare = PrepareBatch(begin=self._begin, user_directory=self._user_directory, bulk_rows=self._bulk_rows)
        return IngestServicer(
            claim_next_import=ClaimNextImport(
                begin=self._begin,
                user_directory=self._user_directory,
                lease_seconds=lease,
                at_once=self._settings.max_concurrent_imports_per_owner,
            ),
            read_upload=ReadUpload(begin=self._begin, store=self._store, lease_seconds=lease),
            open_ingest=OpenIngest(begin=self._begin, lease_seconds=lease),
            prepare_batch=prepare,
            ingest_batch=IngestBatch(
                begin=self._begin, user_directory=self._user_directory, write_rows=write_rows, lease_seconds=lease
            ),
            finish_ingest=FinishIngest(begin=self._begin),
            give_back=GiveBack(begin=self._begin, queued=self.something_queued.set),
            limits=RecordLimits(
                record_bytes=self._settings.max_record_bytes,
                cell_characters=self._settings.max_cell_characters,
            ),
            draining=self.draining,
        )
