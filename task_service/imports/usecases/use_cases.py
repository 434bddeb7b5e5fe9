"""The use cases about imports, as one object for the servicers and the background tasks."""

from dataclasses import dataclass

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
from task_service.imports.usecases.ingest import ReadUpload
from task_service.imports.usecases.ingest_rows import IngestRows
from task_service.imports.usecases.inspect_import import InspectImport
from task_service.imports.usecases.leases import ClaimNextImport
from task_service.imports.usecases.queue_metrics import MeasureQueue
from task_service.imports.usecases.undo import ListUndoConflicts, RunUndos, UndoImport
from task_service.imports.usecases.upload_cleanup import DeleteAbandonedUploads, DeleteExpiredUploads
from task_service.imports.usecases.uploads import UploadImport


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportsUseCases:
    """Use cases with their dependencies. bootstrap.py builds them."""

    upload_import: UploadImport
    inspect_import: InspectImport
    list_import_sources: ListImportSources
    get_import: GetImport
    list_imports: ListImports
    watch_import: WatchImport
    list_import_errors: ListImportErrors
    download_import_errors: DownloadImportErrors
    download_import_template: DownloadImportTemplate
    cancel_import: CancelImport
    undo_import: UndoImport
    list_undo_conflicts: ListUndoConflicts

    claim_next_import: ClaimNextImport
    read_upload: ReadUpload
    ingest_rows: IngestRows

    notify_workers: NotifyWorkers
    measure_queue: MeasureQueue
    run_undos: RunUndos
    delete_abandoned_uploads: DeleteAbandonedUploads
    delete_expired_uploads: DeleteExpiredUploads
    delete_dry_run_state: DeleteDryRunState
