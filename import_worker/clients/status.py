"""gRPC statuses as errors of the domain."""

import grpc

from chassis.rpc.errors import read_status
from import_worker.domain.errors import ConnectionLost, LeaseLost, RequestRejected

# A retry from the server's checkpoint can succeed.
# INTERNAL: grpc.aio reports this in place of the server's status if a write fails because the server has ended the
# stream (grpc/grpc#36066). The stream that is opened next shows the real status, for it waits for the first response
# before it sends a batch.
# INVALID_ARGUMENT: a batch does not begin at the checkpoint. When this stream opened, the server had not yet committed
# the last batch of the previous one.
# UNAUTHENTICATED: the token expired while the stream was open. The next call fetches a new one.
_RETRYABLE = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
}


def translate_error(error: grpc.RpcError) -> LeaseLost | ConnectionLost | RequestRejected:
    """Return the domain error for a failed call."""
    status = read_status(error)
    if status.code is grpc.StatusCode.FAILED_PRECONDITION and status.reason == "LEASE_LOST":
        return LeaseLost()
    cause = f"{status.code.name}: {status.message}"
    return ConnectionLost(cause=cause) if status.code in _RETRYABLE else RequestRejected(cause=cause)
