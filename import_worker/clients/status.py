"""A failed call as what it means for the work on a lease."""

import grpc

from chassis.rpc.errors import read_status
from import_worker.domain.errors import ConnectionCut, LeaseLost, Refused

# What passes, or is mended by beginning again at the server's checkpoint. INVALID_ARGUMENT is a batch that does not
# begin there: the server had yet to commit a batch of the stream before when it opened this one. UNAUTHENTICATED is a
# token that ran out while the stream was open; opening it again takes a new one.
_PASSING = {
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


def meaning_of(error: grpc.RpcError) -> LeaseLost | ConnectionCut | Refused:
    """Return the domain's word for a failed call."""
    status = read_status(error)
    if status.code is grpc.StatusCode.FAILED_PRECONDITION and status.reason == "LEASE_LOST":
        return LeaseLost()
    cause = f"{status.code.name}: {status.message}"
    return ConnectionCut(cause=cause) if status.code in _PASSING else Refused(cause=cause)
