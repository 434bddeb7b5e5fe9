import json

import pytest

from gateway.bootstrap import AUTH_SERVICES, TASKS_SERVICES, build_openapi_document
from gateway.transcoding.contract import read_rpcs
from gateway.transcoding.http.request_binder import RequestBinder
from gateway.transcoding.json_codec.decoder import Decoders
from gateway.transport.docs.openapi_info import OPENAPI_INFO
from gateway.transport.upload.endpoint import UPLOAD_RPCS

RPCS = read_rpcs((*AUTH_SERVICES, *TASKS_SERVICES))


@pytest.fixture(scope="module")
def api():
    return build_openapi_document(RPCS)


def schema_of(api, name):
    return api["components"]["schemas"][name]


def parameters_of(api, operation):
    """Return the parameters of an operation, those that it refers to too."""
    shared = api["components"]["parameters"]
    return [
        shared[parameter["$ref"].rpartition("/")[2]] if "$ref" in parameter else parameter
        for parameter in operation["parameters"]
    ]


def described_elements(api):
    """Yield every operation, parameter, schema and tag, and the properties of the contract's messages, with a name."""
    for path, item in api["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation
            yield from (
                (f"{method} {path} {parameter['name']}", parameter) for parameter in parameters_of(api, operation)
            )
    for name, schema in api["components"]["schemas"].items():
        yield name, schema
        yield from (
            (f"{name}.{key}", property_)
            for key, property_ in schema.get("properties", {}).items()
            if "$ref" not in property_ and not name.endswith("Line")
        )
    yield from ((tag["name"], tag) for tag in api["tags"])


def test_everything_has_a_description(api):
    """Operations, parameters and schemas have the comments of the contract as descriptions."""
    assert [name for name, element in described_elements(api) if not element.get("description")] == []
    operation = api["paths"]["/api/v1/tasks/{id}"]["get"]
    assert operation["summary"] == "Returns one task, live or deleted"
    assert "NOT_FOUND when the caller can see no such task." in operation["description"]
    assert operation["parameters"][0]["description"] == "The task's id."


def test_descriptions_use_json_enum_names(api):
    assert "- `in_progress`: " in schema_of(api, "TaskStatus")["description"]
    with_constants = [
        name
        for name, element in described_elements(api)
        if "STATUS_" in element["description"] or "STATE_" in element["description"]
    ]
    assert with_constants == []


def test_alias_path_names_the_canonical_path(api):
    """An alias path names its canonical path, and follows all canonical paths in the document."""
    login, alias = api["paths"]["/api/v1/login"]["post"], api["paths"]["/api/login"]["post"]
    assert alias["summary"] == "Alias of POST /api/v1/login"
    assert alias["description"] == login["description"]
    assert (login.get("deprecated"), alias["deprecated"]) == (None, True)
    paths = list(api["paths"])
    assert paths.index("/api/login") > max(paths.index(rpc.bindings[0].template.source) for rpc in RPCS)


def test_every_service_is_a_tag(api):
    used = [tag for item in api["paths"].values() for operation in item.values() for tag in operation["tags"]]
    assert [tag["name"] for tag in api["tags"]] == [
        "Auth",
        "User",
        "Token",
        "ServiceAccount",
        "SecurityEvent",
        "Task",
        "History",
        "Import",
    ]
    assert {tag["name"] for tag in api["tags"]} == set(used)
    assert api["tags"][0]["description"] == "Creates accounts and issues access tokens for credentials."


def test_every_example_is_a_valid_request():
    rpcs = {rpc.full_name: rpc for rpc in RPCS}
    for (name, media_type), example in OPENAPI_INFO.examples.items():
        rpc = rpcs[name]
        if media_type == "application/json":
            bind = RequestBinder(rpc.bindings[0], rpc.request, Decoders())
            path_values = ["1"] * len(rpc.bindings[0].template.variables)
            assert bind(path_values, b"", json.dumps(example).encode()).ByteSize()
        else:
            assert name in UPLOAD_RPCS
            assert media_type == "text/csv"


def test_every_route_is_in_the_document(api):
    described_elements = {(method.upper(), path) for path, item in api["paths"].items() for method in item}
    assert described_elements == {
        (binding.http_method, binding.template.source) for rpc in RPCS for binding in rpc.bindings
    }
    assert ("POST", "/api/upload-csv") in described_elements
    assert ("GET", "/api/v1/imports/{id}:watch") in described_elements


def test_operation_ids_are_unique(api):
    ids = [operation["operationId"] for item in api["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))


def test_every_reference_resolves(api):
    def references(node):
        if isinstance(node, dict):
            yield from [node["$ref"]] if "$ref" in node else []
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    for reference in references(api):
        node_at_reference = api
        for part in reference.removeprefix("#/").split("/"):
            node_at_reference = node_at_reference[part]
        assert node_at_reference


def test_stream_has_event_and_ndjson_schemas(api):
    """A stream is described as server-sent events and as lines with one message each."""
    content = api["paths"]["/api/v1/imports/{id}:watch"]["get"]["responses"]["200"]["content"]
    message = {"$ref": "#/components/schemas/Import"}
    assert content["text/event-stream"]["schema"]["type"] == "string"
    assert "The data have the schema Import" in content["text/event-stream"]["schema"]["description"]
    assert content["application/x-ndjson"]["schema"] == {"$ref": "#/components/schemas/WatchImportLine"}
    assert schema_of(api, "WatchImportLine")["properties"]["result"] == message


def test_security_follows_the_access_option(api):
    assert api["paths"]["/api/login"]["post"]["security"] == []
    assert api["paths"]["/api/tasks"]["post"]["security"] == [{"bearer": []}]
    access = "Roles: admin, manager, user. Scopes: tasks:write. Personal access tokens: with tasks:write."
    assert api["paths"]["/api/tasks"]["post"]["description"].endswith(access)
    assert api["paths"]["/api/v1/logout"]["post"]["description"].endswith("user. No personal access token.")
    lookup = "Personal access tokens: with account:read or tasks:write."
    assert api["paths"]["/api/v1/users:lookup"]["get"]["description"].endswith(lookup)


def test_item_limit_is_max_items(api):
    assert api["components"]["schemas"]["BatchCreateTasksRequest"]["properties"]["requests"]["maxItems"] == 100


def test_success_status_follows_the_contract(api):
    def status(path, method):
        return {status for status in api["paths"][path][method]["responses"] if status.startswith("2")}

    assert status("/api/v1/register", "post") == {"201"}
    assert status("/api/v1/imports", "post") == {"202"}
    assert status("/api/v1/tasks/{id}", "delete") == {"200"}


def test_upload_has_two_media_types_and_options(api):
    """An upload is a form or a raw body, with the options as query parameters."""
    operation = api["paths"]["/api/v1/imports"]["post"]
    assert set(operation["requestBody"]["content"]) == {"multipart/form-data", "text/csv"}
    assert [(parameter["name"], parameter["in"]) for parameter in parameters_of(api, operation)] == [
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
        ("value_mapping", "query"),
        ("on_unknown_status", "query"),
        ("on_unknown_priority", "query"),
        ("date_format", "query"),
        ("date_order", "query"),
        ("time_zone", "query"),
        ("on_unknown_date", "query"),
        ("has_header", "query"),
        ("header_row", "query"),
        ("on_unknown_assignee", "query"),
        ("label_separator", "query"),
        ("source", "query"),
        ("row_filter", "query"),
        ("continuation_rows", "query"),
        ("null_values", "query"),
        ("title_label_prefix", "query"),
        ("strip_label_colors", "query"),
        ("options_from", "query"),
        ("Content-Encoding", "header"),
        ("Idempotency-Key", "header"),
    ]


def test_header_parameters_follow_the_request_fields(api):
    """Headers that fill a field of the request are parameters. Of the update masks, only "*" is one."""
    item = api["paths"]["/api/v1/tasks/{id}"]
    headers = {
        method: [(parameter["in"], parameter["name"]) for parameter in parameters_of(api, operation)]
        for method, operation in item.items()
    }
    assert headers == {
        "get": [("path", "id"), ("header", "If-None-Match")],
        "patch": [("path", "id"), ("query", "update_mask"), ("header", "Idempotency-Key"), ("header", "If-Match")],
        "delete": [("path", "id"), ("query", "etag"), ("header", "Idempotency-Key"), ("header", "If-Match")],
    }
    assert item["patch"]["parameters"][1]["schema"] == {"$ref": "#/components/schemas/UpdateMask"}
    assert not any("update_mask" in schema.get("properties", {}) for schema in api["components"]["schemas"].values())
