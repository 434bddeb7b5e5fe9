import pytest
from google.api.http_pb2 import CustomHttpPattern, HttpRule
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from gateway.bootstrap import AUTH_SERVICES, TASKS_SERVICES
from gateway.transcoding.contract import location_prefix_of, read_rpcs
from gateway.transcoding.errors import UnsupportedContract
from gateway.transcoding.http.request_binder import RequestBinder
from gateway.transcoding.json_codec.decoder import Decoders
from gateway.transcoding.json_codec.json_mapping import item_limit_of
from tests.unit.gateway.synthetic_contract import build_service

CONTRACT = read_rpcs((*AUTH_SERVICES, *TASKS_SERVICES))


@pytest.mark.parametrize(
    "rule",
    [
        HttpRule(get="/v1/{id=tasks/*}"),
        HttpRule(get="/v1/*"),
        HttpRule(get="/v1/**"),
        HttpRule(get="/v1/{part.title}"),
        HttpRule(get="/v1/{nothing}"),
        HttpRule(get="/v1/{names}"),
        HttpRule(get="/v1/{id}/{id}"),
        HttpRule(get="/v1/a{id}"),
        HttpRule(get="/v1//a"),
        HttpRule(get="/v1/"),
        HttpRule(get="v1"),
        HttpRule(get="/v1/{id}:"),
        HttpRule(get="/v1/{id}:a/b"),
        HttpRule(get="/v1", body="*"),
        HttpRule(delete="/v1", body="part"),
        HttpRule(post="/v1", body="id"),
        HttpRule(post="/v1", body="nothing"),
        HttpRule(post="/v1", body="part.title"),
        HttpRule(post="/v1", response_body="title"),
        HttpRule(custom=CustomHttpPattern(kind="LIST", path="/v1")),
        HttpRule(get="/v1", additional_bindings=[HttpRule(get="/v2", additional_bindings=[HttpRule(get="/v3")])]),
        HttpRule(),
    ],
    ids=str,
)
def test_unsupported_http_rule_stops_start(rule):
    """An http rule outside the grammar stops the start with a message that names the rpc."""
    with pytest.raises(UnsupportedContract, match=r"odd\d+\.Odd\.Do: "):
        read_rpcs([build_service(rule)])


def test_supported_http_rule_is_read():
    rule = HttpRule(post="/v1/{id}:go", body="part", additional_bindings=[HttpRule(put="/v2/x-y.z/{id}", body="*")])
    first, second = read_rpcs([build_service(rule)])[0].bindings
    assert (first.http_method, first.template.variables, first.template.verb, first.body) == (
        "POST",
        ("id",),
        "go",
        "part",
    )
    assert (second.http_method, second.template.segments[:2], second.template.verb) == ("PUT", ("v2", "x-y.z"), None)


def test_rpc_without_http_rule_has_no_route():
    assert read_rpcs([build_service(None)]) == ()
    assert "IssueServiceToken" not in {rpc.name for rpc in CONTRACT}


def test_missing_access_option_stops_start():
    """An rpc with an http rule but without an access option stops the start."""
    with pytest.raises(UnsupportedContract, match="no access option"):
        read_rpcs([build_service(HttpRule(get="/v1"), public=False)])


def test_file_name_option_and_download_go_together():
    """A download without a file name, or a file name without a download, stops the start."""
    with pytest.raises(UnsupportedContract, match="a download needs a file_name option"):
        read_rpcs([build_service(HttpRule(get="/v1"), file_name="odd.csv")])
    assert {rpc.name: rpc.file_name for rpc in CONTRACT if rpc.is_download} == {
        "DownloadImportErrors": "errors.csv",
        "DownloadImportTemplate": "template.csv",
        "ExportTasks": "tasks.csv",
    }


@pytest.mark.parametrize("field_type", [FieldDescriptorProto.TYPE_DOUBLE, FieldDescriptorProto.TYPE_BYTES])
def test_unsupported_field_type_stops_start(field_type):
    """A field type that the JSON mapping does not support stops the start."""
    (rpc,) = read_rpcs([build_service(HttpRule(post="/v1", body="*"), field_type=field_type)])
    with pytest.raises(UnsupportedContract, match=r"Request\.odd"):
        RequestBinder(rpc.bindings[0], rpc.request, Decoders())


def test_create_rpcs_have_a_location_prefix():
    """Only an rpc whose resource can be read by its id gets a Location."""
    locations = {rpc.name: location_prefix_of(rpc, CONTRACT) for rpc in CONTRACT}
    assert {name: location for name, location in locations.items() if location} == {
        "CreateTask": "/api/v1/tasks/",
        "UploadImport": "/api/v1/imports/",
    }


def repeated_message_fields(message, seen):
    for field in message.fields:
        if field.message_type is not None and field.full_name not in seen:
            seen.add(field.full_name)
            if field.is_repeated:
                yield field
            yield from repeated_message_fields(field.message_type, seen)


def test_request_lists_have_an_item_limit():
    """Every repeated message field of a request has an item limit with a reason."""
    found = {
        field.full_name: item_limit_of(field)
        for rpc in CONTRACT
        for field in repeated_message_fields(rpc.request, set())
    }
    assert {name for name, limit in found.items() if limit is None or limit.max_items < 1 or not limit.reason} == set()
    assert "taskmanager.tasks.v1.BatchCreateTasksRequest.requests" in found


def test_only_get_rpcs_are_idempotent():
    reading = ("Download", "Export", "Get", "List", "Lookup", "Verify", "Watch")
    for rpc in CONTRACT:
        assert rpc.is_safe == rpc.name.startswith(reading), rpc.full_name
