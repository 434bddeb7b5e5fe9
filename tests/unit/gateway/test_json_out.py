"""Messages become JSON in the gateway's dialect."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.auth.v1 import auth_service_pb2, user_pb2
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from gateway.transcoding.encode import Encoders
from tests.unit.gateway.dialect import encoded


def test_every_field_of_a_message_is_in_its_json():
    assert encoded(task_pb2.Task(id="1", status=task_pb2.Task.STATUS_IN_PROGRESS, created_at=Timestamp(seconds=1))) == {
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
def test_times_are_rfc_3339_in_utc_to_the_microsecond(timestamp, text):
    assert encoded(task_pb2.Task(created_at=timestamp))["created_at"] == text


def test_integers_of_64_bits_are_numbers():
    assert encoded(import_pb2.Import(bytes_total=2**53 - 1))["bytes_total"] == 2**53 - 1


def test_nested_and_repeated_messages_are_encoded_in_order():
    event = history_service_pb2.TaskEvent(
        action=history_service_pb2.TaskEvent.ACTION_UPDATED,
        actor_role=history_service_pb2.TaskEvent.ACTOR_ROLE_SERVICE,
        changes=[
            history_service_pb2.TaskEvent.Change(field="title", old="a", new="b"),
            history_service_pb2.TaskEvent.Change(field="status"),
        ],
    )
    answer = encoded(history_service_pb2.ListTaskEventsResponse(events=[event]))
    assert answer["next_page_token"] == ""
    assert answer["events"][0]["action"] == "updated"
    assert answer["events"][0]["actor_role"] == "service"
    assert [change["field"] for change in answer["events"][0]["changes"]] == ["title", "status"]


def test_messages_of_one_field_and_of_none_are_encoded():
    assert encoded(auth_service_pb2.GetJwksRequest()) == {}
    assert encoded(auth_service_pb2.Jwks()) == {"keys": []}


def test_a_number_that_no_enum_value_has_yet_stays_a_number():
    assert encoded(user_pb2.User(role=99))["role"] == 99  # type: ignore[arg-type]


def test_a_single_value_that_is_unset_is_left_out_and_zero_is_not():
    encode = Encoders().of(task_service_pb2.ListTasksResponse.DESCRIPTOR)
    assert encode(task_service_pb2.ListTasksResponse()) == {"tasks": [], "next_page_token": ""}
    assert encode(task_service_pb2.ListTasksResponse(total_size=0))["total_size"] == 0
