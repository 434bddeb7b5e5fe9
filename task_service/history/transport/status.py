"""gRPC statuses of the errors about history. The nearest class counts; chassis maps Invalid and Unavailable."""

import grpc

from chassis.rpc.errors import StatusTable
from task_service.history.domain import errors

STATUS: StatusTable = {errors.CursorExpired: grpc.StatusCode.FAILED_PRECONDITION}
