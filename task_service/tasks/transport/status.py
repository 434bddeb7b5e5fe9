"""gRPC statuses of the errors about tasks. The nearest class counts; chassis maps Invalid and Unavailable."""

import grpc

from chassis.rpc.errors import StatusTable
from task_service.access import OwnerNotYours
from task_service.idempotency.errors import IdempotencyKeyReused
from task_service.tasks.domain import errors

STATUS: StatusTable = {
    errors.TaskNotFound: grpc.StatusCode.NOT_FOUND,
    errors.EtagMismatch: grpc.StatusCode.ABORTED,
    errors.TaskDeleted: grpc.StatusCode.FAILED_PRECONDITION,
    errors.TaskNotDeleted: grpc.StatusCode.ALREADY_EXISTS,
    errors.TaskNotInTrash: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ExternalIdTaken: grpc.StatusCode.ALREADY_EXISTS,
    IdempotencyKeyReused: grpc.StatusCode.ALREADY_EXISTS,
    OwnerNotYours: grpc.StatusCode.PERMISSION_DENIED,
}
