import pytest
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from gateway.transcoding.http.http_rules import Binding, parse_template
from gateway.transcoding.http.request_binder import RequestBinder
from gateway.transcoding.json_codec.decoder import Decoders
from gateway.transcoding.violations import InvalidRequest

LIST = task_service_pb2.ListTasksRequest.DESCRIPTOR
list_tasks = RequestBinder(Binding("GET", parse_template("/tasks"), ""), LIST, Decoders())
ERRORS = import_service_pb2.ListImportErrorsRequest.DESCRIPTOR
list_errors = RequestBinder(Binding("GET", parse_template("/imports/{import_id}/errors"), ""), ERRORS, Decoders())


def violations_of(query, bind=list_tasks, values=()):
    with pytest.raises(InvalidRequest) as raised:
        bind(values, query, b"")
    return [(violation.reason, violation.field) for violation in raised.value.violations]


def test_parameters_fill_fields_of_the_same_name():
    request = list_tasks((), b"page_size=5&page_token=a%2Bb+c&show_deleted=true&owner_id=-", b"")
    assert request == task_service_pb2.ListTasksRequest(
        page_size=5, page_token="a+b c", show_deleted=True, owner_id="-"
    )


@pytest.mark.parametrize(
    "query", [b"status=pending&status=in-progress", b"status=pending,in_progress", b"status=pending%2Cin_progress"]
)
def test_enum_values_are_repeated_or_comma_separated(query):
    expected = [task_pb2.Task.STATUS_PENDING, task_pb2.Task.STATUS_IN_PROGRESS]
    assert list_tasks((), query, b"") == task_service_pb2.ListTasksRequest(status=expected)


@pytest.mark.parametrize("query", [b"", b"&", b"&&"])
def test_empty_query_fills_no_field(query):
    assert list_tasks((), query, b"") == task_service_pb2.ListTasksRequest()


@pytest.mark.parametrize(
    ("query", "violation"),
    [
        (b"page=1", ("UNKNOWN_PARAMETER", "page")),
        (b"pageSize=1", ("UNKNOWN_PARAMETER", "pageSize")),
        (b"=1", ("UNKNOWN_PARAMETER", None)),
        (b"page_size=1&page_size=1", ("DUPLICATE_PARAMETER", "page_size")),
        (b"page_size=", ("WRONG_TYPE", "page_size")),
        (b"page_size=ten", ("WRONG_TYPE", "page_size")),
        (b"page_size=1.0", ("WRONG_TYPE", "page_size")),
        (b"page_size=1_0", ("WRONG_TYPE", "page_size")),
        (b"page_size=%D9%A1", ("WRONG_TYPE", "page_size")),
        (b"page_size=2147483648", ("OUT_OF_RANGE", "page_size")),
        (b"page_size=" + b"9" * 10_000, ("WRONG_TYPE", "page_size")),
        (b"show_deleted=1", ("WRONG_TYPE", "show_deleted")),
        (b"show_deleted=True", ("WRONG_TYPE", "show_deleted")),
        (b"show_deleted", ("WRONG_TYPE", "show_deleted")),
        (b"status=", ("UNKNOWN_VALUE", "status")),
        (b"status=pending,", ("UNKNOWN_VALUE", "status")),
        (b"status=PENDING", ("UNKNOWN_VALUE", "status")),
        (b"owner_id=%ff", ("MALFORMED_QUERY", None)),
    ],
)
def test_violation_names_reason_and_parameter(query, violation):
    assert violations_of(query) == [violation]


def test_path_field_is_not_a_query_parameter():
    expected = import_service_pb2.ListImportErrorsRequest(import_id="7", page_size=2)
    assert list_errors(("7",), b"page_size=2", b"") == expected
    assert violations_of(b"import_id=8", list_errors, ("7",)) == [("UNKNOWN_PARAMETER", "import_id")]


def test_all_query_violations_up_to_fifty_are_reported():
    assert violations_of(b"page_size=x&nope=1") == [("WRONG_TYPE", "page_size"), ("UNKNOWN_PARAMETER", "nope")]
    assert len(violations_of(b"&".join(b"a%d=1" % number for number in range(1000)))) == 50
