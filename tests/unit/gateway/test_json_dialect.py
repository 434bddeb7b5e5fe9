"""The JSON dialect, both ways."""

import json
from contextlib import suppress

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st
from taskmanager.auth.v1 import auth_service_pb2, user_pb2
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from gateway.transcoding.bind import RequestBinder
from gateway.transcoding.decode import Decoders
from gateway.transcoding.encode import Encoders, to_json
from gateway.transcoding.http_rules import Binding, parse_template
from gateway.transcoding.parse import parse_json
from gateway.transcoding.violations import InvalidRequest, Violations

CREATE = task_service_pb2.CreateTaskRequest.DESCRIPTOR
create_task = RequestBinder(Binding("POST", parse_template("/tasks"), "task"), CREATE, Decoders())
REGISTER = auth_service_pb2.RegisterRequest.DESCRIPTOR
register = RequestBinder(Binding("POST", parse_template("/register/{email}"), "*"), REGISTER, Decoders())


def encoded(message):
    return json.loads(to_json(Encoders().of(message.DESCRIPTOR)(message)))


def task_from(body):
    request = create_task((), b"", json.dumps(body).encode())
    assert isinstance(request, task_service_pb2.CreateTaskRequest)
    return request.task


def refusals(body, bind=create_task, values=()):
    with pytest.raises(InvalidRequest) as refused:
        bind(values, b"", body if isinstance(body, bytes) else json.dumps(body).encode())
    return [(violation.reason, violation.field) for violation in refused.value.violations]


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


words = st.sampled_from(["pending", "in_progress", "completed", "cancelled"])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(
    st.builds(
        task_pb2.Task,
        title=texts,
        description=texts,
        status=st.sampled_from(task_pb2.Task.Status.values()),
        priority=st.sampled_from(task_pb2.Task.Priority.values()),
        due_date=texts,
        owner_id=texts,
    )
)
def test_a_task_survives_the_way_out_and_back(task):
    written = encoded(task)
    read_only = ("id", "import_id", "created_at", "updated_at", "completed_at", "deleted_at", "purge_at")
    assert task_from({name: value for name, value in written.items() if name not in read_only}) == task


timestamps = st.builds(
    Timestamp,
    seconds=st.integers(-62135596800, 253402300799),
    nanos=st.integers(0, 999_999).map(lambda microseconds: microseconds * 1000),
)


@given(
    st.builds(
        import_pb2.Import,
        id=texts,
        state=st.sampled_from(import_pb2.Import.State.values()),
        bytes_total=st.integers(-(2**63), 2**63 - 1),
        warnings=st.lists(texts, max_size=3),
        created_at=timestamps,
        failure=st.none() | st.builds(import_pb2.Import.Failure, code=texts, line=st.integers(0, 2**53)),
    )
)
def test_an_import_survives_the_way_out_and_back(message):
    body = to_json(Encoders().of(message.DESCRIPTOR)(message))
    violations = Violations()
    fields = Decoders().of(message.DESCRIPTOR).fields(parse_json(body), "", violations)
    violations.settle()
    assert import_pb2.Import(**fields) == message


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_task_or_a_clear_refusal(body):
    with suppress(InvalidRequest):
        assert create_task((), b"", body).HasField("task")


def test_words_are_lower_case_and_may_have_hyphens():
    assert task_from({"status": "in-progress"}).status == task_pb2.Task.STATUS_IN_PROGRESS
    assert task_from({"status": "in_progress"}).status == task_pb2.Task.STATUS_IN_PROGRESS


@pytest.mark.parametrize("word", ["PENDING", "STATUS_PENDING", "Pending", "unspecified", "", "done"])
def test_an_unknown_word_is_refused(word):
    assert refusals({"status": word}) == [("UNKNOWN_VALUE", "status")]


def test_the_refusal_of_a_word_names_the_choice():
    with pytest.raises(InvalidRequest, match="pending, in_progress, completed, cancelled"):
        task_from({"status": "done"})


def test_null_leaves_a_field_out():
    assert task_from({"title": None, "status": None}) == task_pb2.Task()


def test_an_empty_body_is_an_empty_message_that_is_there():
    assert create_task((), b"", b"").HasField("task")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"title": 1}, ("WRONG_TYPE", "title")),
        ({"title": ["a"]}, ("WRONG_TYPE", "title")),
        ({"title": {}}, ("WRONG_TYPE", "title")),
        ({"status": 1}, ("WRONG_TYPE", "status")),
        ({"status": True}, ("WRONG_TYPE", "status")),
        ({"titel": "a"}, ("UNKNOWN_FIELD", "titel")),
        ({"Title": "a"}, ("UNKNOWN_FIELD", "Title")),
        ({"ownerId": "a"}, ("UNKNOWN_FIELD", "ownerId")),
        ({"id": "1"}, ("READ_ONLY_FIELD", "id")),
        ({"created_at": None}, ("READ_ONLY_FIELD", "created_at")),
        ([], ("WRONG_TYPE", None)),
        ("text", ("WRONG_TYPE", None)),
        (b"null", ("WRONG_TYPE", None)),
        (b'{"title": "\\ud800"}', ("INVALID_TEXT", "title")),
        (b'{"title": "a", "title": "b"}', ("DUPLICATE_FIELD", "title")),
        (b'{"title": "a", "t\\u0069tle": "b"}', ("DUPLICATE_FIELD", "title")),
    ],
)
def test_what_is_wrong_is_named_with_its_field(body, refusal):
    assert refusals(body) == [refusal]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'title': 'a'}",
        b'{"title": NaN}',
        b'{"title": Infinity}',
        b'{"title": -Infinity}',
        b'{"title": "\xff"}',
        b'\xef\xbb\xbf{"title": "a"}',
        '{"title": "a"}'.encode("utf-16"),
        b'{"title": "a\nb"}',
        b'{"title": "a"} {}',
        b'{"title": "a",}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"title": 1' + b"0" * 5000 + b"}",
        b"// a comment\n{}",
    ],
    ids=range(15),
)
def test_what_is_no_json_is_refused_as_such(body):
    assert refusals(body) == [("MALFORMED_JSON", None)]


def test_everything_that_is_wrong_is_told_at_once():
    assert refusals({"title": 1, "status": "x", "id": "a", "nope": 1}) == [
        ("WRONG_TYPE", "title"),
        ("UNKNOWN_VALUE", "status"),
        ("READ_ONLY_FIELD", "id"),
        ("UNKNOWN_FIELD", "nope"),
    ]


def test_no_more_than_fifty_violations_are_told():
    assert len(refusals({f"field{number}": 1 for number in range(1000)})) == 50


def test_a_name_that_is_echoed_is_cut_and_can_be_written():
    ((_, long),) = refusals({"x" * 10_000: 1})
    assert len(long) == 100
    ((_, broken),) = refusals(b'{"\\ud800": 1}')
    assert to_json(broken) == b'"?"'


def test_a_field_that_the_path_has_filled_may_not_be_in_the_body_too():
    assert refusals({"email": "b", "username": "u"}, register, ("a",)) == [("DUPLICATE_FIELD", "email")]
    assert register(("a",), b"", b'{"username": "u"}') == auth_service_pb2.RegisterRequest(email="a", username="u")


def decode_import(value):
    violations = Violations()
    fields = Decoders().of(import_pb2.Import.DESCRIPTOR).fields(parse_json(json.dumps(value).encode()), "", violations)
    violations.settle()
    return import_pb2.Import(**fields)


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        ({"failure": {"line": "1"}}, ("WRONG_TYPE", "failure.line")),
        ({"failure": {"row": 1}}, ("UNKNOWN_FIELD", "failure.row")),
        ({"failure": []}, ("WRONG_TYPE", "failure")),
        ({"warnings": ["a", 2]}, ("WRONG_TYPE", "warnings[1]")),
        ({"warnings": [None]}, ("WRONG_TYPE", "warnings[0]")),
        ({"warnings": "a"}, ("WRONG_TYPE", "warnings")),
        ({"bytes_total": 2**63}, ("OUT_OF_RANGE", "bytes_total")),
        ({"bytes_total": 1.5}, ("WRONG_TYPE", "bytes_total")),
        ({"bytes_total": 1e300}, ("WRONG_TYPE", "bytes_total")),
        ({"bytes_total": True}, ("WRONG_TYPE", "bytes_total")),
        ({"bytes_total": "1"}, ("WRONG_TYPE", "bytes_total")),
        ({"created_at": "2026-03-01"}, ("INVALID_TIME", "created_at")),
        ({"created_at": "2026-03-01T12:00:00"}, ("INVALID_TIME", "created_at")),
        ({"created_at": "2026-02-30T12:00:00Z"}, ("INVALID_TIME", "created_at")),
        ({"created_at": "20260301T120000Z"}, ("INVALID_TIME", "created_at")),
        ({"created_at": 5}, ("WRONG_TYPE", "created_at")),
    ],
)
def test_a_path_names_the_place_inside_lists_and_objects(value, refusal):
    with pytest.raises(InvalidRequest) as refused:
        decode_import(value)
    assert [(violation.reason, violation.field) for violation in refused.value.violations] == [refusal]


@pytest.mark.parametrize("text", ["2026-03-01T12:00:00Z", "2026-03-01t13:00:00+01:00", "2026-03-01T12:00:00.000z"])
def test_a_time_may_come_in_any_zone(text):
    assert decode_import({"created_at": text}).created_at == Timestamp(seconds=1772366400)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([field.name for field in import_pb2.Import.DESCRIPTOR.fields]), json_values))
def test_any_json_in_any_field_is_a_value_or_a_clear_refusal(value):
    with suppress(InvalidRequest):
        decode_import(value)


def test_a_single_value_that_is_unset_is_left_out_and_zero_is_not():
    encode = Encoders().of(task_service_pb2.ListTasksResponse.DESCRIPTOR)
    assert encode(task_service_pb2.ListTasksResponse()) == {"tasks": [], "next_page_token": ""}
    assert encode(task_service_pb2.ListTasksResponse(total_size=0))["total_size"] == 0
