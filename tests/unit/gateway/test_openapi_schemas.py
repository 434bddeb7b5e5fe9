"""Schemas of requests and of responses."""

import pytest
from taskmanager.options.v1 import options_pb2
from taskmanager.tasks.v1 import task_service_pb2

from gateway.bootstrap import AUTH_SERVICES, TASKS_SERVICES, build_openapi_document
from gateway.transcoding.contract import read_rpcs
from gateway.transcoding.errors import UnsupportedContract
from gateway.transcoding.json_codec.encoder import Encoders
from gateway.transcoding.openapi.comments import Comments
from gateway.transcoding.openapi.schemas import Schemas

RPCS = read_rpcs((*AUTH_SERVICES, *TASKS_SERVICES))


@pytest.fixture(scope="module")
def api():
    return build_openapi_document(RPCS)


@pytest.fixture(scope="module")
def schemas(api):
    return api["components"]["schemas"]


def property_of(schemas, schema, name):
    """Return a property without its description."""
    found = schemas[schema]["properties"][name]
    return {key: value for key, value in found.items() if key != "description"}


def reference(name):
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(name):
    return {"anyOf": [reference(name), {"type": "null"}]}


def test_creation_takes_only_what_a_client_may_set(schemas):
    assert schemas["TaskCreate"]["required"] == ["title"]
    assert schemas["TaskCreate"]["additionalProperties"] is False
    assert list(schemas["TaskCreate"]["properties"]) == [
        "title",
        "description",
        "status",
        "priority",
        "due_date",
        "labels",
        "external_id",
        "owner_id",
        "assignee_id",
    ]


def test_change_takes_optional_fields_and_null(schemas):
    """A change needs no field, and null resets a field that has a default. The owner never changes."""
    update = schemas["TaskUpdate"]
    assert "required" not in update
    assert "owner_id" not in update["properties"]
    assert property_of(schemas, "TaskUpdate", "title") == {"type": "string", "minLength": 1, "maxLength": 500}
    assert property_of(schemas, "TaskUpdate", "due_date") == {"type": ["string", "null"], "format": "date"}
    assert property_of(schemas, "TaskUpdate", "status") == nullable("TaskStatus")
    assert property_of(schemas, "TaskUpdate", "etag") == {"type": "string"}


def test_upsert_takes_an_owner_and_needs_no_field(schemas):
    """An upsert is a change that can create the task, so it may name the owner."""
    assert "required" not in schemas["TaskUpsert"]
    assert property_of(schemas, "TaskUpsert", "owner_id") == {"type": "string", "format": "uuid"}
    assert property_of(schemas, "UpsertTaskRequest", "task") == reference("TaskUpsert")


def test_response_has_every_field(schemas):
    task = schemas["Task"]
    assert task["required"] == list(task["properties"])
    assert property_of(schemas, "Task", "id") == {"type": "string", "format": "uuid"}
    assert property_of(schemas, "Task", "status") == reference("TaskStatus")
    assert property_of(schemas, "Task", "created_at") == {"type": "string", "format": "date-time"}
    assert property_of(schemas, "Task", "completed_at") == {"type": ["string", "null"], "format": "date-time"}
    # An empty text is no date and no id.
    assert property_of(schemas, "Task", "due_date") == property_of(schemas, "Task", "assignee_id") == {"type": "string"}
    assert property_of(schemas, "Import", "bytes_total") == {"type": "integer", "format": "int64"}
    assert property_of(schemas, "Import", "failure") == nullable("ImportFailure")
    assert property_of(schemas, "Import", "waits_for") == nullable("ImportWaitsFor")


def response_messages():
    """Yield the type of every message that the server sends, nested ones too."""
    pending = [rpc.response for rpc in RPCS if not rpc.is_download]
    seen = {}
    while pending:
        descriptor = pending.pop()
        if descriptor.full_name not in seen and not descriptor.full_name.startswith("google."):
            seen[descriptor.full_name] = descriptor
            pending += [field.message_type for field in descriptor.fields if field.message_type]
    return list(seen.values())


@pytest.mark.parametrize("descriptor", response_messages(), ids=lambda descriptor: descriptor.full_name)
def test_empty_message_has_the_required_fields(schemas, descriptor):
    """The encoder writes exactly the required fields of an empty message, and null only where the schema has null."""
    encoded = Encoders().get(descriptor)(descriptor._concrete_class())
    schema = schemas[descriptor.full_name.partition(".v1.")[2].replace(".", "")]
    assert list(encoded) == schema.get("required", [])
    always_set = {field.name for field in descriptor.fields if field.GetOptions().Extensions[options_pb2.always_set]}
    with_null = {name for name, value in encoded.items() if value is None}
    may_be_null = {
        name
        for name, property_ in schema["properties"].items()
        if {"type": "null"} in property_.get("anyOf", []) or "null" in property_.get("type", [])
    }
    assert may_be_null == with_null - always_set


def test_batch_takes_the_same_schemas_as_single_calls(api, schemas):
    single = api["paths"]["/api/v1/tasks"]["post"]["requestBody"]
    assert single == {**single, "required": True}
    assert single["content"]["application/json"]["schema"] == reference("TaskCreate")
    assert property_of(schemas, "CreateTaskRequest", "task") == reference("TaskCreate")
    assert property_of(schemas, "UpdateTaskRequest", "task") == reference("TaskUpdate")
    assert list(schemas["DeleteTaskRequest"]["properties"]) == ["id", "etag"]


def test_body_is_required_only_if_it_has_a_required_field(api):
    paths = api["paths"]
    assert paths["/api/v1/login"]["post"]["requestBody"]["required"] is True
    assert "required" not in paths["/api/v1/tasks/{id}:undelete"]["post"]["requestBody"]
    assert "requestBody" not in paths["/api/v1/logout"]["post"]
    assert "requestBody" not in paths["/api/v1/tasks/{id}:purge"]["post"]


def test_value_rules_are_in_the_schemas(api, schemas):
    assert property_of(schemas, "TaskCreate", "labels") == {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 64},
        "maxItems": 50,
    }
    assert property_of(schemas, "BatchCreateTasksRequest", "requests")["maxItems"] == 100
    operation = api["paths"]["/api/v1/tasks"]["get"]
    query = {parameter.get("name"): parameter.get("schema") for parameter in operation["parameters"]}
    assert query["ids"] == {
        "type": "array",
        "items": {"type": "string", "format": "uuid"},
        "maxItems": 100,
    }
    assert query["due_before"] == {"type": "string", "format": "date"}
    assert query["status"] == {"type": "array", "items": reference("TaskStatus")}


def anonymous_schemas(node, path=()):
    """Yield the paths of objects and enums that are not components of their own."""
    if isinstance(node, dict):
        is_component = len(path) == 3 and path[:2] == ("components", "schemas")
        is_schema = node.get("type") == "object" or isinstance(node.get("enum"), list)
        if is_schema and not is_component and "headers" not in path:
            yield path
        for key, value in node.items():
            if key != "example":
                yield from anonymous_schemas(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from anonymous_schemas(value, (*path, index))


def test_objects_and_enums_are_named_components(api):
    """Generators derive class names from components; for an anonymous schema they invent a name."""
    assert list(anonymous_schemas(api)) == []
    assert [name for name in api["components"]["schemas"] if not name.isidentifier()] == []


def test_two_schemas_cannot_have_one_name():
    schemas = Schemas(Comments({}, {}))
    request = task_service_pb2.UndeleteTaskRequest.DESCRIPTOR
    schemas.request(request, frozenset({"id"}))
    with pytest.raises(UnsupportedContract, match="same schema name"):
        schemas.request(request)
