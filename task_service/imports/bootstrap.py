"""Wiring of the use cases about imports. bootstrap.py of the service calls it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from uuid_utils.compat import uuid7

from chassis.kernel.clock import utc_now
from chassis.rpc.request_context import mark_replayed
from chassis.tracing.spans import child_span
from task_service.connections import CallerConnections
from task_service.idempotency.transaction import IdempotentTransactions
from task_service.imports.domain.header.header import HeaderLimits
from task_service.imports.domain.storage_quota import StorageQuota
from task_service.imports.persistence.row_encoder import encode_rows
from task_service.imports.persistence.unit_of_work import SqlImportsReadSession, SqlImportsUnitOfWork
from task_service.imports.tracing import trace_steps
from task_service.imports.usecases.dispatch import NotifyWorkers
from task_service.imports.usecases.dry_run_cleanup import DeleteDryRunState
from task_service.imports.usecases.imports import (
    CancelImport,
    DownloadImportErrors,
    DownloadImportTemplate,
    GetImport,
    ListImportErrors,
    ListImports,
    ListImportSources,
    WatchImport,
)
from task_service.imports.usecases.ingest import FinishIngest, IngestBatch, PrepareBatch, ReadUpload
from task_service.imports.usecases.ingest_rows import IngestRows
from task_service.imports.usecases.inspect_import import InspectImport
from task_service.imports.usecases.leases import ClaimNextImport, ReleaseLease, RenewLease
from task_service.imports.usecases.ports import ImportNotifications, ObjectStore, WorkerNotifier
from task_service.imports.usecases.queue_metrics import MeasureQueue
from task_service.imports.usecases.undo import ListUndoConflicts, RunUndos, UndoImport
from task_service.imports.usecases.unit_of_work import Begin, ImportTransactions
from task_service.imports.usecases.upload_cleanup import DeleteAbandonedUploads, DeleteExpiredUploads
from task_service.imports.usecases.uploads import UploadImport
from task_service.imports.usecases.use_cases import ImportsUseCases
from task_service.imports.usecases.write_rows import WriteRows
from task_service.settings import TasksSettings
from task_service.tasks.usecases.ports import UserDirectory


@dataclass(frozen=True, slots=True)
class WakeEvents:
    """Events that wake the background loops of this process before their next interval."""

    queued: asyncio.Event
    undo_requested: asyncio.Event


def imports_use_cases(
    settings: TasksSettings,
    connections: CallerConnections,
    *,
    users: UserDirectory,
    store: ObjectStore,
    notifications: ImportNotifications,
    notifier: WorkerNotifier,
    wake: WakeEvents,
    is_draining: Callable[[], bool],
    is_paused: Callable[[], bool],
) -> ImportsUseCases:
    """Build the use cases about imports."""
    begin = partial(SqlImportsUnitOfWork, connections.writes)
    read = partial(SqlImportsReadSession, connections.reads)
    transactions: ImportTransactions = IdempotentTransactions(
        begin=begin, read=read, now=utc_now, encode=str, decode=UUID, on_replay=mark_replayed
    )
    lease_seconds, max_running = settings.lease_seconds, settings.max_concurrent_imports_per_owner
    header_limits = HeaderLimits(line_bytes=settings.max_header_bytes, columns=settings.max_columns)
    return ImportsUseCases(
        upload_import=UploadImport(
            transactions=transactions,
            begin=begin,
            read=read,
            user_directory=users,
            store=store,
            now=utc_now,
            new_id=uuid7,
            max_upload_bytes=settings.max_upload_bytes,
            quota=StorageQuota(
                max_bytes_per_owner=settings.max_stored_bytes_per_owner, max_bytes=settings.max_stored_bytes
            ),
            header_limits=header_limits,
            notify_queued=wake.queued.set,
        ),
        inspect_import=InspectImport(
            read=read, header_limits=header_limits, max_upload_bytes=settings.max_upload_bytes, now=utc_now
        ),
        list_import_sources=ListImportSources(),
        get_import=GetImport(read=read),
        list_imports=ListImports(read=read),
        watch_import=WatchImport(read=read, notifications=notifications, is_draining=is_draining),
        list_import_errors=ListImportErrors(read=read),
        download_import_errors=DownloadImportErrors(read=read),
        download_import_template=DownloadImportTemplate(),
        cancel_import=CancelImport(transactions=transactions, read=read),
        undo_import=UndoImport(transactions=transactions, read=read, notify_requested=wake.undo_requested.set),
        list_undo_conflicts=ListUndoConflicts(read=read),
        claim_next_import=ClaimNextImport(
            begin=begin,
            user_directory=users,
            lease_seconds=lease_seconds,
            max_running=max_running,
            is_paused=is_paused,
        ),
        read_upload=ReadUpload(begin=begin, store=store, lease_seconds=lease_seconds),
        ingest_rows=trace_steps(
            _ingest_rows(begin, lease_seconds, users=users, wake=wake, is_draining=is_draining, is_paused=is_paused)
        ),
        notify_workers=NotifyWorkers(
            begin=begin, worker_notifier=notifier, max_running=max_running, is_paused=is_paused
        ),
        measure_queue=MeasureQueue(read=read),
        run_undos=RunUndos(
            begin=begin,
            now=utc_now,
            new_id=uuid7,
            retention=timedelta(days=settings.trash_retention_days),
            start_span=child_span,
        ),
        delete_abandoned_uploads=DeleteAbandonedUploads(
            begin=begin,
            read=read,
            store=store,
            now=utc_now,
            older_than=timedelta(seconds=settings.unfinished_upload_retention_seconds),
        ),
        delete_expired_uploads=DeleteExpiredUploads(
            begin=begin,
            read=read,
            store=store,
            now=utc_now,
            retention=timedelta(seconds=settings.upload_retention_seconds),
        ),
        delete_dry_run_state=DeleteDryRunState(begin=begin),
    )


def _ingest_rows(
    begin: Begin,
    lease_seconds: float,
    *,
    users: UserDirectory,
    wake: WakeEvents,
    is_draining: Callable[[], bool],
    is_paused: Callable[[], bool],
) -> IngestRows:
    return IngestRows(
        begin=begin,
        renew_lease=RenewLease(begin=begin, lease_seconds=lease_seconds),
        prepare_batch=PrepareBatch(begin=begin, user_directory=users, encode_rows=encode_rows, now=utc_now),
        ingest_batch=IngestBatch(
            begin=begin,
            user_directory=users,
            write_rows=WriteRows(encode_rows=encode_rows, now=utc_now, new_id=uuid7),
            lease_seconds=lease_seconds,
        ),
        finish_ingest=FinishIngest(begin=begin),
        release_lease=ReleaseLease(begin=begin, notify_queued=wake.queued.set),
        is_draining=is_draining,
        is_paused=is_paused,
    )
