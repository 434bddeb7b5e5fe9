import grpc
import pytest
from grpc import StatusCode, aio

from chassis.rpc.errors import RichStatus, Violation
from gateway.transport.status import HTTP_STATUS, failure_of


def failed(rich: RichStatus | None, code: StatusCode = StatusCode.OK, details: str = "") -> aio.AioRpcError:
    trailers = aio.Metadata(("grpc-status-details-bin", rich.pack())) if rich else aio.Metadata()
    return aio.AioRpcError(rich.code if rich else code, aio.Metadata(), trailers, rich.message if rich else details)


def answer(error, spell=lambda field: field or None):
    failure = failure_of(error, spell)
    return failure.http_status, failure.body("r1")["error"], dict(failure.headers)


@pytest.mark.parametrize("code", [code for code in StatusCode if code not in {StatusCode.OK, StatusCode.CANCELLED}])
def test_every_code_has_an_http_status_and_one_detail_and_leaks_no_text_of_grpc_s_own(code):
    status, body, _ = answer(failed(None, code, "failed to connect to ipv4:10.0.0.1:50051"))
    assert status == HTTP_STATUS[code] == body["code"]
    assert body["status"] == code.name
    assert [(detail["reason"], detail["field"]) for detail in body["details"]] == [(code.name, None)]
    assert "10.0.0.1" not in str(body)


def test_a_call_that_its_server_cancelled_is_one_to_try_again():
    """As when a service is told to stop in the middle of an upload: the client has cancelled nothing."""
    status, body, headers = answer(failed(None, StatusCode.CANCELLED, "Cancelled"))
    assert (status, body["status"], headers[b"retry-after"]) == (503, "UNAVAILABLE", b"1")


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        (StatusCode.ABORTED, "ETAG_MISMATCH", 409),
        (StatusCode.FAILED_PRECONDITION, "ETAG_MISMATCH", 409),
        (StatusCode.RESOURCE_EXHAUSTED, "FILE_TOO_LARGE", 413),
        (StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL", 507),
        (StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_LOGINS", 429),
    ],
)
def test_a_reason_may_have_an_http_status_of_its_own(code, reason, status):
    assert answer(failed(RichStatus(code, "No.", reason)))[0] == status


@pytest.mark.parametrize("code", [StatusCode.INTERNAL, StatusCode.UNKNOWN, StatusCode.DATA_LOSS])
def test_what_went_wrong_inside_stays_inside(code):
    status, body, _ = answer(failed(RichStatus(code, "postgres://app:secret@db", "WHATEVER")))
    assert status == 500
    assert body["message"] == "internal error"
    assert "secret" not in str(body)


def test_each_violation_is_one_detail_with_the_field_as_the_client_spelt_it():
    violations = (Violation("task.title", "BLANK_TITLE", "Blank."), Violation("task.due_date", "", "Bad date."))
    rich = RichStatus(StatusCode.INVALID_ARGUMENT, "Blank. Bad date.", "BLANK_TITLE", violations)
    _, body, _ = answer(failed(rich), lambda field: field.removeprefix("task."))
    assert body["details"] == [
        {"reason": "BLANK_TITLE", "field": "title", "message": "Blank."},
        {"reason": "BLANK_TITLE", "field": "due_date", "message": "Bad date."},
    ]


def test_when_waiting_helps_the_answer_says_how_long():
    rich = RichStatus(StatusCode.RESOURCE_EXHAUSTED, "Wait.", "TOO_MANY_LOGINS", retry_after=1.2)
    assert answer(failed(rich))[2] == {b"retry-after": b"2"}
    assert answer(failed(None, StatusCode.UNAVAILABLE))[2] == {b"retry-after": b"1"}


def test_who_is_unknown_is_told_how_to_say_who_they_are():
    rich = RichStatus(StatusCode.UNAUTHENTICATED, "No.", "UNAUTHENTICATED")
    assert answer(failed(rich))[2] == {b"www-authenticate": b"Bearer"}


def test_details_that_can_not_be_read_do_not_hide_the_error():
    error = aio.AioRpcError(
        grpc.StatusCode.NOT_FOUND, aio.Metadata(), aio.Metadata(("grpc-status-details-bin", b"\xff\xff")), "gone"
    )
    assert answer(error)[0] == 404


def test_a_service_s_own_words_are_kept_even_where_the_reason_is_the_code_s_name():
    rich = RichStatus(StatusCode.PERMISSION_DENIED, "Your role does not allow this.", "PERMISSION_DENIED")
    assert answer(failed(rich))[1]["message"] == "Your role does not allow this."
