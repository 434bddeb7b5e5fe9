"""Errors on the wire: domain errors become google.rpc.Status with details (AIP-193), unknown errors a constant."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, TypeVar

import grpc
import structlog
from google.protobuf.any_pb2 import Any as PackedDetail
from google.protobuf.descriptor import Descriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AbortError
from grpc_interceptor.server import AsyncServerInterceptor

from chassis.kernel.errors import DomainError, Invalid, Unavailable
from chassis.logs import describe_error
from chassis.rpc.field_paths import find_field_path
from chassis.rpc.interceptor import Context, is_stream
from chassis.rpc.methods import methods_of
from chassis.rpc.request_context import REQUEST_ID_KEY, request_id

ERROR_DOMAIN = "taskmanager"
NOT_STARTED_KEY = "not_started"
DETAILS_KEY = "grpc-status-details-bin"

MAX_VIOLATIONS = 50
# Above 8 KiB of trailers (in base64) gRPC sometimes sends RESOURCE_EXHAUSTED instead; above 16 KiB it always does.
MAX_PACKED_BYTES = 5_500
MAX_TEXT_LENGTHS = (500, 120, 60, 30)
"""Tried in this order until the status fits."""

StatusTable = Mapping[type[DomainError], grpc.StatusCode]

KERNEL_STATUS: StatusTable = {
    Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
}

Detail = TypeVar("Detail", bound=Message)

log = structlog.get_logger("errors")


@dataclass(frozen=True, slots=True)
class Violation:
    """One invalid field of a request."""

    field: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class RichStatus:
    """Status with its details."""

    code: grpc.StatusCode
    message: str
    reason: str
    violations: tuple[Violation, ...] = ()
    retry_after_seconds: float | None = None
    is_retryable_elsewhere: bool = False
    """True: the call was refused before any work. ErrorInfo then has the metadata `not_started: true`."""
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Facts of the error with the reason, for programs."""

    def pack(self) -> bytes:
        """Return the serialized google.rpc.Status for the trailers, shortened to the size that they can hold."""
        for max_length in MAX_TEXT_LENGTHS:
            packed = self._packed(max_length, MAX_VIOLATIONS)
            if len(packed) <= MAX_PACKED_BYTES:
                return packed
        return self._packed(MAX_TEXT_LENGTHS[-1], MAX_VIOLATIONS // 2)

    def _packed(self, max_length: int, max_violations: int) -> bytes:
        metadata = {**self.metadata, **({NOT_STARTED_KEY: "true"} if self.is_retryable_elsewhere else {})}
        details = [_pack(error_details_pb2.ErrorInfo(reason=self.reason, domain=ERROR_DOMAIN, metadata=metadata))]
        if self.violations:
            details.append(
                _pack(
                    error_details_pb2.BadRequest(
                        field_violations=[
                            error_details_pb2.BadRequest.FieldViolation(
                                field=_truncate(violation.field, max_length),
                                reason=violation.reason,
                                description=_truncate(violation.message, max_length),
                            )
                            for violation in self.violations[:max_violations]
                        ]
                    )
                )
            )
        if self.retry_after_seconds is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(int(self.retry_after_seconds * 1000))
            details.append(_pack(retry))
        number: int = self.code.value[0]
        packed: bytes = status_pb2.Status(code=number, message=self.message, details=details).SerializeToString()
        return packed

    async def abort(self, context: Context) -> NoReturn:
        """End the call with this status. Always raises."""
        await context.abort(
            self.code, self.message, trailing_metadata=((DETAILS_KEY, self.pack()), (REQUEST_ID_KEY, request_id()))
        )


def rich_status(code: grpc.StatusCode, error: DomainError, request: Descriptor | None = None) -> RichStatus:
    """Return the status of a domain error with this code. Its fields are paths in the request."""
    errors = error.violations if isinstance(error, Invalid) else (error,)
    found = [Violation(each.field, each.reason, each.message) for each in errors]
    if request is not None:
        found = [replace(each, field=find_field_path(request, each.field)) for each in found]
    violations = tuple(violation for violation in found if violation.field or len(errors) > 1)
    return RichStatus(
        code,
        _truncate(error.message, 500),
        errors[0].reason,
        violations,
        error.retry_after_seconds,
        error.is_retryable_elsewhere,
        errors[0].metadata,
    )


def read_status(error: grpc.RpcError) -> RichStatus:
    """Return the status of a failed call. Without details, the reason is the name of the code."""
    code, message = error.code(), error.details() or ""
    # A sequence of pairs, although the type stubs declare another type.
    trailers: Any = error.trailing_metadata() or ()
    raw = next((value for key, value in trailers if key == DETAILS_KEY), None)
    reason, violations, retry_after_seconds = code.name, [], None
    metadata: dict[str, str] = {}
    for detail in _parse(raw):
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = _unpack(detail, error_details_pb2.ErrorInfo())
            reason, metadata = info.reason or reason, dict(info.metadata)
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            violations = [
                Violation(violation.field, violation.reason, violation.description)
                for violation in _unpack(detail, error_details_pb2.BadRequest()).field_violations
            ]
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry_after_seconds = _unpack(detail, error_details_pb2.RetryInfo()).retry_delay.ToMilliseconds() / 1000
    is_retryable_elsewhere = metadata.pop(NOT_STARTED_KEY, None) is not None
    return RichStatus(code, message, reason, tuple(violations), retry_after_seconds, is_retryable_elsewhere, metadata)


class ErrorInterceptor(AsyncServerInterceptor):
    """Interceptor that turns exceptions into statuses. Nothing else does.

    A domain error gets the status of its nearest class in the table. Any other exception becomes INTERNAL with a
    fixed message, because its text may contain a connection string. It is logged in full.

    A violation has the path of its field in the request of the method.
    """

    def __init__(self, table: StatusTable, services: Iterable[ServiceDescriptor] = ()) -> None:
        self._table = {**KERNEL_STATUS, **table}
        self._requests: dict[str, Descriptor] = {path: method.input_type for path, method in methods_of(services)}

    async def intercept(
        self, method: Callable[..., Any], request_or_iterator: Any, context: Any, method_name: str
    ) -> Any:
        if is_stream(method):
            return self._stream(method, request_or_iterator, context, method_name)
        try:
            return await method(request_or_iterator, context)
        except Exception as error:  # noqa: BLE001 - the caller gets a status for every error
            await self._abort(error, context, method_name)

    async def _stream(
        self, method: Callable[..., Any], request_or_iterator: Any, context: Context, method_name: str
    ) -> AsyncIterator[Any]:
        try:
            async for message in method(request_or_iterator, context):
                yield message
        except Exception as error:  # noqa: BLE001 - the caller gets a status for every error
            await self._abort(error, context, method_name)

    async def _abort(self, error: Exception, context: Context, method: str) -> NoReturn:
        """End the call with the status of an error, unless the handler has ended it."""
        if isinstance(error, AbortError):
            raise error
        if isinstance(error, DomainError):
            status = rich_status(self.status_code(error), error, self._requests.get(method))
            _explain(status.reason, error.__cause__ if isinstance(error, Unavailable) else None)
        else:
            status = RichStatus(grpc.StatusCode.INTERNAL, "internal error", "INTERNAL")
            _explain(status.reason, error)
            log.error("unhandled exception", method=method, exc_info=error)
        await status.abort(context)

    def status_code(self, error: DomainError) -> grpc.StatusCode:
        """Return the status of the error's nearest class in the table."""
        for cls in type(error).__mro__:
            if cls in self._table:
                return self._table[cls]
        return grpc.StatusCode.UNKNOWN


def _explain(reason: str, cause: BaseException | None) -> None:
    """Add the reason and the cause to the later log lines of this call, so that its access line explains itself.

    Only the cause of an outage and an unknown exception are logged: that of another error can quote the request.
    """
    structlog.contextvars.bind_contextvars(reason=reason)
    if cause:
        structlog.contextvars.bind_contextvars(cause=describe_error(cause))


def _pack(detail: Message) -> PackedDetail:
    packed = PackedDetail()
    packed.Pack(detail)
    return packed


def _unpack(detail: PackedDetail, into: Detail) -> Detail:
    detail.Unpack(into)
    return into


def _parse(raw: object) -> list[PackedDetail]:
    if not isinstance(raw, bytes):
        return []
    try:
        return list(status_pb2.Status.FromString(raw).details)
    except DecodeError:
        return []


def _truncate(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
