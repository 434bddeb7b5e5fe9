"""gRPC statuses of the errors about imports. The nearest class counts; chassis maps Invalid and Unavailable."""

import grpc

from chassis.rpc.errors import StatusTable
from task_service.imports.domain import errors
from task_service.imports.domain.duplicate_file import DuplicateFile

STATUS: StatusTable = {
    errors.ImportNotFound: grpc.StatusCode.NOT_FOUND,
    DuplicateFile: grpc.StatusCode.ALREADY_EXISTS,
    errors.FileTooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.UploadIdle: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.StorageQuotaExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.StorageFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.ImportEnded: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ImportNotEnded: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NothingToUndo: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ImportStillUploading: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LeaseLost: grpc.StatusCode.FAILED_PRECONDITION,
    errors.OffsetBehindEnd: grpc.StatusCode.OUT_OF_RANGE,
    errors.StoredFileChanged: grpc.StatusCode.DATA_LOSS,
}
