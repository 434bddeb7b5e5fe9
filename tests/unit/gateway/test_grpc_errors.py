import grpc
import pytest
from grpc import StatusCode, aio

from chassis.rpc.errors import RichStatus, Violation
from gateway.transcoding.http.status_codes import HTTP_STATUS
from gateway.transport.errors.grpc_errors import http_error_from


def rpc_error(rich_status: RichStatus | None, code: StatusCode = StatusCode.OK, details: str = "") -> aio.AioRpcError:
    trailers = aio.Metadata(("grpc-status-details-bin", rich_status.pack())) if rich_status else aio.Metadata()
    return aio.AioRpcError(
        rich_status.code if rich_status else code,
        aio.Metadata(),
        trailers,
        rich_status.message if rich_status else details,
    )


def convert(error, client_field_path=lambda field: field or None):
    http_error = http_error_from(error, client_field_path)
    return http_error.http_status, http_error.body("r1")["error"], dict(http_error.headers)


@pytest.mark.parametrize("code", [code for code in StatusCode if code not in {StatusCode.OK, StatusCode.CANCELLED}])
def test_every_code_maps_to_an_http_status(code):
    """Every gRPC code has an HTTP status and one detail. The text of gRPC itself is not sent."""
    status, body, _ = convert(rpc_error(None, code, "failed to connect to ipv4:10.0.0.1:50051"))
    assert status == HTTP_STATUS[code.name] == body["code"]
    assert body["status"] == code.name
    assert [(detail["reason"], detail["field"]) for detail in body["details"]] == [(code.name, None)]
    assert "10.0.0.1" not in str(body)


def test_call_cancelled_by_server_is_503():
    """A service that shuts down during an upload cancels the call; the client may try again."""
    status, body, headers = convert(rpc_error(None, StatusCode.CANCELLED, "Cancelled"))
    assert (status, body["status"], headers[b"retry-after"]) == (503, "UNAVAILABLE", b"1")


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        (StatusCode.ABORTED, "ETAG_MISMATCH", 409),
        (StatusCode.FAILED_PRECONDITION, "ETAG_MISMATCH", 409),
        (StatusCode.RESOURCE_EXHAUSTED, "FILE_TOO_LARGE", 413),
        (StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL", 507),
        (StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", 503),
        (StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_LOGINS", 429),
    ],
)
def test_reason_can_have_its_own_http_status(code, reason, status):
    assert convert(rpc_error(RichStatus(code, "No.", reason)))[0] == status


@pytest.mark.parametrize("code", [StatusCode.INTERNAL, StatusCode.UNKNOWN, StatusCode.DATA_LOSS])
def test_internal_error_text_is_not_sent(code):
    """The text of an internal error, which may contain a password, does not reach the client."""
    status, body, _ = convert(rpc_error(RichStatus(code, "postgres://app:secret@db", "WHATEVER")))
    assert status == 500
    assert body["message"] == "internal error"
    assert "secret" not in str(body)


def test_each_violation_is_one_detail():
    """Each violation becomes one detail, with the field path as the client knows it."""
    violations = (Violation("task.title", "BLANK_TITLE", "Blank."), Violation("task.due_date", "", "Bad date."))
    rich_status = RichStatus(StatusCode.INVALID_ARGUMENT, "Blank. Bad date.", "BLANK_TITLE", violations)
    _, body, _ = convert(rpc_error(rich_status), lambda field: field.removeprefix("task."))
    assert body["details"] == [
        {"reason": "BLANK_TITLE", "field": "title", "message": "Blank."},
        {"reason": "BLANK_TITLE", "field": "due_date", "message": "Bad date."},
    ]


def test_metadata_is_in_the_first_detail():
    """The detail with the reason of the status has its facts for programs."""
    facts = {"import_id": "1"}
    violations = (Violation("chunk", "DUPLICATE_FILE", "Again."), Violation("x", "Y", "Z."))
    for found in ((), violations):
        rich_status = RichStatus(StatusCode.ALREADY_EXISTS, "Again.", "DUPLICATE_FILE", found, metadata=facts)
        first, *others = convert(rpc_error(rich_status))[1]["details"]
        assert (first["reason"], first["metadata"]) == ("DUPLICATE_FILE", facts)
        assert not any("metadata" in detail for detail in others)


def test_retry_after_is_sent():
    """An error that can be retried has a Retry-After header, rounded up to seconds."""
    rich_status = RichStatus(StatusCode.RESOURCE_EXHAUSTED, "Wait.", "TOO_MANY_LOGINS", retry_after_seconds=1.2)
    assert convert(rpc_error(rich_status))[2] == {b"retry-after": b"2"}
    assert convert(rpc_error(None, StatusCode.UNAVAILABLE))[2] == {b"retry-after": b"1"}


def test_unauthenticated_has_challenge():
    """A 401 has a WWW-Authenticate header."""
    rich_status = RichStatus(StatusCode.UNAUTHENTICATED, "No.", "UNAUTHENTICATED")
    assert convert(rpc_error(rich_status))[2] == {b"www-authenticate": b"Bearer"}


def test_unreadable_details_keep_the_code():
    """Error details that cannot be parsed do not change the status."""
    error = aio.AioRpcError(
        grpc.StatusCode.NOT_FOUND, aio.Metadata(), aio.Metadata(("grpc-status-details-bin", b"\xff\xff")), "gone"
    )
    assert convert(error)[0] == 404


def test_service_message_is_kept():
    """The message of a service is kept even if its reason is the name of the code."""
    rich_status = RichStatus(StatusCode.PERMISSION_DENIED, "Your role does not allow this.", "PERMISSION_DENIED")
    assert convert(rpc_error(rich_status))[1]["message"] == "Your role does not allow this."
