import pytest

from gateway.bootstrap import AUTH_SERVICES, TASKS_SERVICES
from gateway.transcoding.contract import read_rpcs
from gateway.transcoding.openapi import document
from gateway.transport import upload

RPCS = read_rpcs((*AUTH_SERVICES, *TASKS_SERVICES))


@pytest.fixture(scope="module")
def api():
    return document(RPCS, uploads={upload.RPC: upload.OPTIONS}, title="Task manager", version="v1")


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


def test_security_is_what_the_contract_s_access_option_says(api):
    assert api["paths"]["/api/login"]["post"]["security"] == []
    assert api["paths"]["/api/tasks"]["post"]["security"] == [{"bearer": []}]
    assert api["paths"]["/api/tasks"]["post"]["description"] == "Roles: admin, manager, user. Scopes: tasks:write."


def test_schemas_speak_the_dialect(api):
    task = api["components"]["schemas"]["Task"]
    assert task["properties"]["status"] == {
        "type": ["string", "null"],
        "enum": ["pending", "in_progress", "completed", "cancelled", None],
    }
    assert task["properties"]["created_at"] == {"type": ["string", "null"], "format": "date-time", "readOnly": True}
    assert "title" in task["required"]
    assert "description" not in task["required"]
    imported = api["components"]["schemas"]["Import"]
    assert imported["properties"]["bytes_total"] == {"type": "integer", "format": "int64"}
    assert imported["properties"]["failure"] == {
        "anyOf": [{"$ref": "#/components/schemas/Import.Failure"}, {"type": "null"}]
    }


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
