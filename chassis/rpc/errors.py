"""Errors on the wire: domain errors become rich statuses (google.rpc.Status, AIP-193), the unknown one constant."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import structlog
from google.protobuf.any_pb2 import Any as PackedDetail
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AbortError

from chassis.kernel.errors import DomainError
from chassis.kernel.errors import Invalid
from chassis.kernel.errors import Unavailable
from chassis.rpc.interceptor import ContextInterceptor
from chassis.rpc.interceptor import Context
from chassis.rpc.request_context import REQUEST_ID_KEY, request_id

ERROR_DOMAIN = "taskmanager"
DETAILS_KEY = "grpc-status-details-bin"

MOST_VIOLATIONS = 50
# Past 8 KiB of trailers, base64 and all, gRPC turns more and more errors into RESOURCE_EXHAUSTED, past 16 KiB each.
MOST_BYTES = 5_500
LONGEST_TEXTS = (500, 120, 60, 30)

StatusTable = Mapping[type[DomainError], grpc.StatusCode]

KERNEL_STATUS: StatusTable = {
    Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
}

Detail = TypeVar("Detail", bound=Message)

log = structlog.get_logger("errors")


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a request."""

    field: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class RichStatus:
    """A status with its details. `retry_after` is in seconds."""

    code: grpc.StatusCode
    message: str
    reason: str
    violations: tuple[Violation, ...] = ()
    retry_after: float | None = None

    def pack(self) -> bytes:
        """The bytes of the google.rpc.Status that travels in the trailers, cut to what they hold."""
        for longest in LONGEST_TEXTS:
            packed = self._packed(longest, MOST_VIOLATIONS)
            if len(packed) <= MOST_BYTES:
                return packed
        return self._packed(LONGEST_TEXTS[-1], MOST_VIOLATIONS // 2)

    def _packed(self, longest: int, most: int) -> bytes:
        details = [_pack(error_details_pb2.ErrorInfo(reason=self.reason, domain=ERROR_DOMAIN))]
        if self.violations:
            details.append(
                _pack(
                    error_details_pb2.BadRequest(
                        field_violations=[
                            error_details_pb2.BadRequest.FieldViolation(
                                field=_cut(violation.field, longest),
                                reason=violation.reason,
                                description=_cut(violation.message, longest),
                            )
                            for violation in self.violations[:most]
                        ]
                    )
                )
            )
        if self.retry_after is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(int(self.retry_after * 1000))
            details.append(_pack(retry))
        number: int = self.code.value[0]
        packed: bytes = status_pb2.Status(code=number, message=self.message, details=details).SerializeToString()
        return packed

    async def abort(self, context: Context) -> None:
        """Ends the call with this status. Always raises."""
        await context.abort(
            self.code, self.message, trailing_metadata=((DETAILS_KEY, self.pack()), (REQUEST_ID_KEY, request_id()))
        )


def rich_status(code: grpc.StatusCode, error: DomainError) -> RichStatus:
    """What a domain error says to the caller under this code."""
    found = error.violations if isinstance(error, Invalid) else (error,)
    violations = tuple(
        Violation(violation.field, violation.reason, violation.message)
        for violation in found
        if violation.field or len(found) > 1
    )
    reason = found[0].reason
    return RichStatus(code, _cut(error.message, 500), reason, violations, error.retry_after)


def details_of(error: grpc.RpcError) -> RichStatus:
    """Reads the status of a failed call, whoever sent it. A status without details has the code's name as reason."""
    code, message = error.code(), error.details() or ""
    trailers: Any = error.trailing_metadata() or ()  # pairs, whatever the stubs call them
    raw = next((value for key, value in trailers if key == DETAILS_KEY), None)
    reason, violations, retry_after = code.name, [], None
    for detail in _parse(raw):
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            reason = _unpack(detail, error_details_pb2.ErrorInfo()).reason or reason
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            violations = [
                Violation(violation.field, violation.reason, violation.description)
                for violation in _unpack(detail, error_details_pb2.BadRequest()).field_violations
            ]
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry_after = _unpack(detail, error_details_pb2.RetryInfo()).retry_delay.ToMilliseconds() / 1000
    return RichStatus(code, message, reason, tuple(violations), retry_after)


class ErrorInterceptor(ContextInterceptor):
    """The only place where an exception becomes a status.

    A domain error gets the status of its nearest class in the table. Anything else is logged whole and answered with
    a constant: an exception's text may hold a connection string.
    """

    def __init__(self, table: StatusTable) -> None:
        self._table = {**KERNEL_STATUS, **table}

    @asynccontextmanager
    async def around(self, context: Context, method: str) -> AsyncIterator[None]:
        try:
            yield
        except AbortError:
            raise
        except DomainError as error:
            await rich_status(self.code_of(error), error).abort(context)
        except Exception:
            log.exception("unhandled", method=method)
            await RichStatus(grpc.StatusCode.INTERNAL, "internal error", "INTERNAL").abort(context)

    def code_of(self, error: DomainError) -> grpc.StatusCode:
        """The status of the error's nearest class that the table names."""
        for cls in type(error).__mro__:
            if cls in self._table:
                return self._table[cls]
        return grpc.StatusCode.UNKNOWN


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


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
