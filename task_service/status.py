"""Which status a domain error has. The nearest class in the table counts; Invalid is in chassis's own."""

import grpc

from chassis.rpc.errors import StatusTable
from task_service.access import OwnerNotYours
from task_service.imports.domain import errors as import_errors
from task_service.tasks.domain import errors

STATUS: StatusTable = {
    errors.TaskNotFound: grpc.StatusCode.NOT_FOUND,
    import_errors.ImportNotFound: grpc.StatusCode.NOT_FOUND,
    errors.EtagMismatch: grpc.StatusCode.ABORTED,
    errors.TaskDeleted: grpc.StatusCode.FAILED_PRECONDITION,
    errors.TaskNotDeleted: grpc.StatusCode.ALREADY_EXISTS,
    errors.TaskNotInTrash: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ExternalIdTaken: grpc.StatusCode.ALREADY_EXISTS,
    errors.IdempotencyKeyReused: grpc.StatusCode.ALREADY_EXISTS,
    OwnerNotYours: grpc.StatusCode.PERMISSION_DENIED,
    import_errors.DuplicateFile: grpc.StatusCode.ALREADY_EXISTS,
    import_errors.FileTooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    import_errors.UploadIdle: grpc.StatusCode.DEADLINE_EXCEEDED,
    import_errors.StorageQuotaExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    import_errors.StorageFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    import_errors.ImportEnded: grpc.StatusCode.FAILED_PRECONDITION,
    import_errors.ImportNotEnded: grpc.StatusCode.FAILED_PRECONDITION,
    import_errors.NothingToUndo: grpc.StatusCode.FAILED_PRECONDITION,
    import_errors.ImportStillUploading: grpc.StatusCode.FAILED_PRECONDITION,
    import_errors.LeaseLost: grpc.StatusCode.FAILED_PRECONDITION,
    import_errors.OffsetBehindEnd: grpc.StatusCode.OUT_OF_RANGE,
    import_errors.StoredFileChanged: grpc.StatusCode.DATA_LOSS,
}
