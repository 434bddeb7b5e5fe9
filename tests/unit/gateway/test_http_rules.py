import pytest
from google.api.http_pb2 import CustomHttpPattern, HttpRule
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from gateway.bootstrap import AUTH_SERVICES, TASKS_SERVICES
from gateway.transcoding.bind import RequestBinder
from gateway.transcoding.contract import location_of, read_rpcs
from gateway.transcoding.decode import Decoders
from gateway.transcoding.dialect import item_limit_of
from gateway.transcoding.http_rules import UnsupportedContract
from tests.unit.gateway.contracts import service

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
def test_a_rule_outside_the_grammar_stops_start_up_and_names_the_rpc(rule):
    with pytest.raises(UnsupportedContract, match=r"odd\d+\.Odd\.Do: "):
        read_rpcs([service(rule)])


def test_a_rule_inside_the_grammar_is_read():
    rule = HttpRule(post="/v1/{id}:go", body="part", additional_bindings=[HttpRule(put="/v2/x-y.z/{id}", body="*")])
    first, second = read_rpcs([service(rule)])[0].bindings
    assert (first.http_method, first.template.variables, first.template.verb, first.body) == (
        "POST",
        ("id",),
        "go",
        "part",
    )
    assert (second.http_method, second.template.segments[:2], second.template.verb) == ("PUT", ("v2", "x-y.z"), None)


def test_an_rpc_without_a_rule_has_no_route():
    assert read_rpcs([service(None)]) == ()
    assert "IssueServiceToken" not in {rpc.name for rpc in CONTRACT}


def test_an_rpc_with_a_rule_and_no_access_option_stops_start_up():
    with pytest.raises(UnsupportedContract, match="no access option"):
        read_rpcs([service(HttpRule(get="/v1"), public=False)])


def test_a_file_without_a_name_and_a_name_without_a_file_stop_start_up():
    with pytest.raises(UnsupportedContract, match="a file and its name come together"):
        read_rpcs([service(HttpRule(get="/v1"), file_name="odd.csv")])
    assert {rpc.name: rpc.file_name for rpc in CONTRACT if rpc.is_download} == {
        "DownloadImportErrors": "errors.csv",
        "DownloadImportTemplate": "template.csv",
        "ExportTasks": "tasks.csv",
    }


@pytest.mark.parametrize("field_type", [FieldDescriptorProto.TYPE_DOUBLE, FieldDescriptorProto.TYPE_BYTES])
def test_a_field_that_the_dialect_has_no_word_for_stops_start_up(field_type):
    (rpc,) = read_rpcs([service(HttpRule(post="/v1", body="*"), field_type=field_type)])
    with pytest.raises(UnsupportedContract, match=r"Request\.odd"):
        RequestBinder(rpc.bindings[0], rpc.request, Decoders())


def test_what_makes_a_resource_that_can_be_read_by_its_id_says_where():
    locations = {rpc.name: location_of(rpc, CONTRACT) for rpc in CONTRACT}
    assert {name: location for name, location in locations.items() if location} == {
        "CreateTask": "/api/v1/tasks/",
        "UploadImport": "/api/v1/imports/",
    }


def lists_in(message, seen):
    for field in message.fields:
        if field.message_type is not None and field.full_name not in seen:
            seen.add(field.full_name)
            if field.is_repeated:
                yield field
            yield from lists_in(field.message_type, seen)


def test_every_list_of_messages_in_a_request_says_how_long_it_may_be():
    found = {field.full_name: item_limit_of(field) for rpc in CONTRACT for field in lists_in(rpc.request, set())}
    assert {name for name, limit in found.items() if limit is None or limit.most < 1 or not limit.reason} == set()
    assert "taskmanager.tasks.v1.BatchCreateTasksRequest.requests" in found


def test_only_what_is_read_by_get_may_be_repeated():
    reading = ("Download", "Export", "Get", "List", "Lookup", "Verify", "Watch")
    for rpc in CONTRACT:
        assert rpc.is_idempotent == rpc.name.startswith(reading), rpc.full_name
