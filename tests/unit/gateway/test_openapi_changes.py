"""The check for breaking changes finds each kind of them, and the document has none."""

import json
from pathlib import Path

import pytest

from tests.support.openapi_changes import breaking_changes

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def document():
    return json.loads((DOCS / "openapi.json").read_text())


@pytest.fixture(scope="module")
def original():
    return json.loads((DOCS / "openapi.json").read_text())


def schema(document, name):
    return document["components"]["schemas"][name]


def operation(document, method="post", path="/api/v1/tasks"):
    return document["paths"][path][method]


def test_document_breaks_no_released_client():
    """A client of the last release works. If a change must break it, see "The OpenAPI document" in CONTRIBUTING.md."""
    released = json.loads((DOCS / "openapi-released.json").read_text())
    current = json.loads((DOCS / "openapi.json").read_text())
    assert breaking_changes(released, current) == []


BREAKING = {
    "POST /api/v1/logout: removed": lambda d: d["paths"].pop("/api/v1/logout"),
    "POST /api/v1/tasks: the operationId was CreateTask": lambda d: operation(d).update(operationId="MakeTask"),
    "POST /api/v1/login: needs a token": lambda d: operation(d, path="/api/v1/login").update(security=[{"bearer": []}]),
    "GET /api/v1/tasks: the parameter q was removed": lambda d: operation(d, "get")["parameters"].remove(
        next(each for each in operation(d, "get")["parameters"] if each.get("name") == "q")
    ),
    "GET /api/v1/tasks: the parameter page_size is required": lambda d: operation(d, "get")["parameters"][0].update(
        required=True
    ),
    "POST /api/v1/tasks: the parameter new is required": lambda d: operation(d)["parameters"].append(
        {"name": "new", "in": "query", "required": True, "schema": {"type": "string"}}
    ),
    "PATCH /api/v1/me: the body is required": lambda d: operation(d, "patch", "/api/v1/me")["requestBody"].update(
        required=True
    ),
    "POST /api/v1/imports body: text/csv was removed": lambda d: operation(d, path="/api/v1/imports")["requestBody"][
        "content"
    ].pop("text/csv"),
    "POST /api/v1/tasks: the status 201 was removed": lambda d: operation(d)["responses"].pop("201"),
    "POST /api/v1/tasks 201: the header Location was removed": lambda d: operation(d)["responses"]["201"][
        "headers"
    ].pop("Location"),
    "Task in responses: title was removed": lambda d: schema(d, "Task")["properties"].pop("title"),
    "Task in responses: labels may be absent": lambda d: schema(d, "Task")["required"].remove("labels"),
    "Task in responses created_at: null is possible": lambda d: schema(d, "Task")["properties"]["created_at"].update(
        type=["string", "null"]
    ),
    "TaskUpdate in requests labels: null is no longer allowed": lambda d: schema(d, "TaskUpdate")["properties"][
        "labels"
    ].update(type="array"),
    "TaskCreate in requests: priority is required": lambda d: schema(d, "TaskCreate")["required"].append("priority"),
    "TaskCreate in requests: labels was removed": lambda d: schema(d, "TaskCreate")["properties"].pop("labels"),
    "TaskStatus in requests: cancelled is no longer allowed": lambda d: schema(d, "TaskStatus")["enum"].remove(
        "cancelled"
    ),
    "Import in responses bytes_total: the type was integer and is string": lambda d: schema(d, "Import")["properties"][
        "bytes_total"
    ].update(type="string"),
    "Import in responses state: the schema was #/components/schemas/ImportState and is string": lambda d: schema(
        d, "Import"
    )["properties"].update(state={"type": "string"}),
    "TaskCreate in requests title: maxLength is 100": lambda d: schema(d, "TaskCreate")["properties"]["title"].update(
        maxLength=100
    ),
    "LoginRequest in requests password: minLength is 8": lambda d: schema(d, "LoginRequest")["properties"][
        "password"
    ].update(minLength=8),
}


@pytest.mark.parametrize("change", BREAKING)
def test_breaking_change_is_found(original, document, change):
    BREAKING[change](document)
    assert change in breaking_changes(original, document)


COMPATIBLE = {
    "new path": lambda d: d["paths"].update({"/new": {"get": operation(d, "get")}}),
    "new field in responses": lambda d: schema(d, "Task")["properties"].update(new={"type": "string"}),
    "new optional field in requests": lambda d: schema(d, "TaskCreate")["properties"].update(new={"type": "string"}),
    "new optional parameter": lambda d: operation(d)["parameters"].append(
        {"name": "new", "in": "query", "schema": {"type": "string"}}
    ),
    "field no longer required in requests": lambda d: schema(d, "TaskCreate").pop("required"),
    "new value": lambda d: schema(d, "TaskStatus")["enum"].append("blocked"),
    "longer text": lambda d: schema(d, "TaskCreate")["properties"]["title"].update(maxLength=1000),
    "other description": lambda d: schema(d, "Task").update(description="Other."),
    "error no longer listed": lambda d: operation(d)["responses"].pop("409"),
}


@pytest.mark.parametrize("change", COMPATIBLE)
def test_compatible_change_is_allowed(original, document, change):
    COMPATIBLE[change](document)
    assert document != original
    assert breaking_changes(original, document) == []
