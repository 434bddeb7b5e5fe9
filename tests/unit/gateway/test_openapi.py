import json

import pytest

from gateway.bootstrap import AUTH_SERVICES, TASKS_SERVICES, contract_comments
from gateway.transcoding.bind import RequestBinder
from gateway.transcoding.contract import read_rpcs
from gateway.transcoding.decode import Decoders
from gateway.transcoding.openapi import document
from gateway.transport import upload
from gateway.transport.guide import GUIDE

RPCS = read_rpcs((*AUTH_SERVICES, *TASKS_SERVICES))


@pytest.fixture(scope="module")
def api():
    return document(RPCS, uploads={upload.RPC: upload.OPTIONS}, comments=contract_comments(), guide=GUIDE)


def described(api):
    """Every operation and parameter, every schema and, of the contract's messages, every property."""
    for path, item in api["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation
            yield from ((f"{method} {path} {one['name']}", one) for one in operation["parameters"])
    for name, schema in api["components"]["schemas"].items():
        yield name, schema
        yield from ((f"{name}.{key}", one) for key, one in schema["properties"].items() if name != "Error")
    yield from ((tag["name"], tag) for tag in api["tags"])


def test_everything_is_described_in_the_contract_s_words(api):
    assert [name for name, one in described(api) if not one.get("description")] == []
    operation = api["paths"]["/api/v1/tasks/{id}"]["get"]
    assert operation["summary"] == "Returns one task, a deleted one too"
    assert "NOT_FOUND when there is none that the caller may see." in operation["description"]
    assert operation["parameters"][0]["description"] == "The task's id."


def test_a_description_spells_enum_values_as_json_does(api):
    status = api["components"]["schemas"]["Task"]["properties"]["status"]["description"]
    assert "- `in_progress`: " in status
    wrong = [name for name, one in described(api) if "STATUS_" in one["description"] or "STATE_" in one["description"]]
    assert wrong == []


def test_a_second_path_says_which_one_it_stands_for_and_follows_all_the_first_ones(api):
    login, again = api["paths"]["/api/v1/login"]["post"], api["paths"]["/api/login"]["post"]
    assert again["summary"] == "The same as POST /api/v1/login"
    assert again["description"] == login["description"]
    paths = list(api["paths"])
    assert paths.index("/api/login") > max(paths.index(rpc.bindings[0].template.source) for rpc in RPCS)


def test_every_service_of_the_contract_is_a_tag(api):
    used = [tag for item in api["paths"].values() for operation in item.values() for tag in operation["tags"]]
    assert [tag["name"] for tag in api["tags"]] == [
        "Auth",
        "User",
        "ServiceAccount",
        "SecurityEvent",
        "Task",
        "History",
        "Import",
    ]
    assert {tag["name"] for tag in api["tags"]} == set(used)
    assert api["tags"][0]["description"] == "Makes accounts and turns credentials into access tokens."


def test_every_example_is_a_request_that_the_gateway_takes():
    rpcs = {rpc.full_name: rpc for rpc in RPCS}
    for (name, media_type), example in GUIDE.examples.items():
        rpc = rpcs[name]
        if media_type == "application/json":
            bind = RequestBinder(rpc.bindings[0], rpc.request, Decoders())
            assert bind((), b"", json.dumps(example).encode()).ByteSize()
        else:
            assert (name, media_type) == (upload.RPC, "text/csv")


def test_every_route_of_the_contract_is_in_the_document(api):
    described = {(method.upper(), path) for path, item in api["paths"].items() for method in item}
    assert described == {(binding.http_method, binding.template.source) for rpc in RPCS for binding in rpc.bindings}
    assert ("POST", "/api/upload-csv") in described
    assert ("GET", "/api/v1/imports/{id}:watch") in described


def test_operation_ids_are_unique(api):
    ids = [operation["operationId"] for item in api["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(api):
    def references(node):
        if isinstance(node, dict):
            yield from [node["$ref"]] if "$ref" in node else []
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    for reference in references(api):
        found = api
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


def test_a_stream_is_described_as_events_and_as_lines_that_hold_one_each(api):
    content = api["paths"]["/api/v1/imports/{id}:watch"]["get"]["responses"]["200"]["content"]
    message = {"$ref": "#/components/schemas/Import"}
    assert content["text/event-stream"]["schema"] == message
    assert content["application/x-ndjson"]["schema"]["properties"]["result"] == message


def test_security_is_what_the_contract_s_access_option_says(api):
    assert api["paths"]["/api/login"]["post"]["security"] == []
    assert api["paths"]["/api/tasks"]["post"]["security"] == [{"bearer": []}]
    who = "Roles: admin, manager, user. Scopes: tasks:write."
    assert api["paths"]["/api/tasks"]["post"]["description"].endswith(who)


def undescribed(schema):
    properties = schema["properties"].items()
    return schema | {
        "properties": {name: {key: one[key] for key in one if key != "description"} for name, one in properties}
    }


def test_schemas_speak_the_dialect(api):
    task = undescribed(api["components"]["schemas"]["Task"])
    assert task["properties"]["status"] == {
        "type": ["string", "null"],
        "enum": ["pending", "in_progress", "completed", "cancelled", None],
    }
    assert task["properties"]["created_at"] == {"type": ["string", "null"], "format": "date-time", "readOnly": True}
    assert "title" in task["required"]
    assert "description" not in task["required"]
    imported = undescribed(api["components"]["schemas"]["Import"])
    assert imported["properties"]["bytes_total"] == {"type": "integer", "format": "int64"}
    assert imported["properties"]["failure"] == {
        "anyOf": [{"$ref": "#/components/schemas/Import.Failure"}, {"type": "null"}]
    }


def test_a_list_s_limit_is_told(api):
    assert api["components"]["schemas"]["BatchCreateTasksRequest"]["properties"]["requests"]["maxItems"] == 100


def test_success_has_the_status_of_the_contract(api):
    def status(path, method):
        return set(api["paths"][path][method]["responses"]) - {"default"}

    assert status("/api/v1/register", "post") == {"201"}
    assert status("/api/v1/imports", "post") == {"202"}
    assert status("/api/v1/tasks/{id}", "delete") == {"200"}


def test_an_upload_takes_a_file_in_two_ways_and_options_as_parameters(api):
    operation = api["paths"]["/api/v1/imports"]["post"]
    assert set(operation["requestBody"]["content"]) == {"multipart/form-data", "text/csv"}
    assert [(one["name"], one["in"]) for one in operation["parameters"]] == [
        ("file_name", "query"),
        ("owner_id", "query"),
        ("validate_only", "query"),
        ("max_errors", "query"),
        ("encoding", "query"),
        ("delimiter", "query"),
        ("mapping", "query"),
        ("allow_same_file", "query"),
        ("default_status", "query"),
        ("default_assignee", "query"),
        ("default_labels", "query"),
        ("on_duplicate", "query"),
        ("Content-Encoding", "header"),
        ("Idempotency-Key", "header"),
    ]


def test_headers_that_a_request_has_a_place_for_are_told_and_masks_and_keys_are_no_parameters(api):
    item = api["paths"]["/api/v1/tasks/{id}"]
    told = {
        method: [(parameter["in"], parameter["name"]) for parameter in item[method]["parameters"]] for method in item
    }
    assert told == {
        "get": [("path", "id")],
        "patch": [("path", "id"), ("header", "Idempotency-Key"), ("header", "If-Match")],
        "delete": [("path", "id"), ("query", "etag"), ("header", "Idempotency-Key"), ("header", "If-Match")],
    }
    assert "update_mask" not in str(api)
