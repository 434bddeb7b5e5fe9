"""Encoding of messages as JSON."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.auth.v1 import auth_service_pb2, user_pb2
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from gateway.transcoding.json_codec.encoder import Encoders
from tests.unit.gateway.json_helpers import encode


def test_json_has_every_field():
    assert encode(task_pb2.Task(id="1", status=task_pb2.Task.STATUS_IN_PROGRESS, created_at=Timestamp(seconds=1))) == {
        "id": "1",
        "title": "",
        "description": "",
        "status": "in_progress",
        "priority": None,
        "due_date": "",
        "labels": [],
        "external_id": "",
        "owner_id": "",
        "assignee_id": "",
        "import_id": "",
        "created_at": "1970-01-01T00:00:01Z",
        "updated_at": None,
        "completed_at": None,
        "deleted_at": None,
        "purge_at": None,
        "etag": "",
    }


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (Timestamp(), "1970-01-01T00:00:00Z"),
        (Timestamp(seconds=1772366400, nanos=123456789), "2026-03-01T12:00:00.123456Z"),
        (Timestamp(seconds=-62135596800), "0001-01-01T00:00:00Z"),
        (Timestamp(seconds=253402300799, nanos=999999999), "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times_are_rfc_3339_utc_microseconds(timestamp, text):
    assert encode(task_pb2.Task(created_at=timestamp))["created_at"] == text


def test_64_bit_integers_are_numbers():
    assert encode(import_pb2.Import(bytes_total=2**53 - 1))["bytes_total"] == 2**53 - 1


def test_nested_and_repeated_messages_are_encoded():
    """Nested and repeated messages are encoded in order."""
    event = history_service_pb2.TaskEvent(
        action=history_service_pb2.TaskEvent.ACTION_UPDATED,
        actor_role=history_service_pb2.TaskEvent.ACTOR_ROLE_SERVICE,
        changes=[
            history_service_pb2.TaskEvent.Change(field="title", old="a", new="b"),
            history_service_pb2.TaskEvent.Change(field="status"),
        ],
    )
    response = encode(history_service_pb2.ListTaskEventsResponse(events=[event]))
    assert response["next_page_token"] == ""
    assert response["events"][0]["action"] == "updated"
    assert response["events"][0]["actor_role"] == "service"
    assert [change["field"] for change in response["events"][0]["changes"]] == ["title", "status"]


def test_messages_of_zero_and_one_field_are_encoded():
    assert encode(auth_service_pb2.GetJwksRequest()) == {}
    assert encode(auth_service_pb2.Jwks()) == {"keys": []}


def test_unknown_enum_number_stays_a_number():
    assert encode(user_pb2.User(role=99))["role"] == 99  # type: ignore[arg-type]


def test_unset_optional_scalar_is_left_out():
    """An unset optional scalar is left out; one that is set to zero is not."""
    encode = Encoders().get(task_service_pb2.ListTasksResponse.DESCRIPTOR)
    assert encode(task_service_pb2.ListTasksResponse()) == {"tasks": [], "next_page_token": ""}
    assert encode(task_service_pb2.ListTasksResponse(total_size=0))["total_size"] == 0


def test_type_that_contains_itself_is_encoded():
    file = descriptor_pb2.FileDescriptorProto(name="tree.proto", package="tree", syntax="proto3")
    node = file.message_type.add(name="Node")
    field = descriptor_pb2.FieldDescriptorProto
    node.field.add(name="name", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    node.field.add(name="child", number=2, type=field.TYPE_MESSAGE, type_name=".tree.Node", label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    node_class = GetMessageClass(pool.FindMessageTypeByName("tree.Node"))
    tree = node_class(name="root", child=node_class(name="leaf"))
    assert encode(tree) == {"name": "root", "child": {"name": "leaf", "child": None}}
