"""Which status a domain error has. The nearest class in the table counts; Invalid is in chassis's own."""

import grpc

from chassis.rpc.errors import StatusTable
from task_service.domain import errors

STATUS: StatusTable = {
    errors.TaskNotFound: grpc.StatusCode.NOT_FOUND,
    errors.ImportNotFound: grpc.StatusCode.NOT_FOUND,
    errors.EtagMismatch: grpc.StatusCode.ABORTED,
    errors.TaskDeleted: grpc.StatusCode.FAILED_PRECONDITION,
    errors.TaskNotDeleted: grpc.StatusCode.ALREADY_EXISTS,
    errors.TaskNotInTrash: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ExternalIdTaken: grpc.StatusCode.ALREADY_EXISTS,
    errors.IdempotencyKeyReused: grpc.StatusCode.ALREADY_EXISTS,
    errors.OwnerNotYours: grpc.StatusCode.PERMISSION_DENIED,
    errors.SameFileAgain: grpc.StatusCode.ALREADY_EXISTS,
    errors.FileTooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.StorageFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.ImportEnded: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ImportStillUploading: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LeaseLost: grpc.StatusCode.FAILED_PRECONDITION,
    errors.OffsetBehindEnd: grpc.StatusCode.OUT_OF_RANGE,
    errors.StoredFileChanged: grpc.StatusCode.DATA_LOSS,
}
