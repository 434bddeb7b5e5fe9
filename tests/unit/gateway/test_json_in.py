"""JSON in the gateway's dialect becomes messages, or every reason why it does not."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.tasks.v1 import task_pb2

from gateway.transcoding.encode import to_json
from gateway.transcoding.parse import MOST_VALUES, parse_json
from gateway.transcoding.violations import InvalidRequest
from tests.unit.gateway.dialect import create_task, decode_import, refusals, register, task_from


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
        b"[" * 9_000,
        b'{"a":' * 9_000,
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


@pytest.mark.parametrize(
    "body",
    [
        b'{"labels": [' + b"1," * MOST_VALUES + b"1]}",
        b'{"labels": [' + b'"a",' * 50_000 + b'"a"]}',
        b'{"labels": [' + b"{}," * MOST_VALUES + b"{}]}",
        b"{" + b",".join(b'"k%d": "\\\\"' % number for number in range(MOST_VALUES + 1)) + b"}",
        b'{"a": ' + b"[[]," * MOST_VALUES,
    ],
    ids=range(5),
)
def test_more_values_than_any_request_needs_are_refused_before_they_are_parsed(body):
    assert refusals(body) == [("TOO_MANY_VALUES", None)]


@pytest.mark.parametrize("text", ["," * 20_000, "[{" * 10_000, '\\",' * 20_000, "\\" * 20_001 + ',"' * 20_000])
def test_commas_and_brackets_inside_a_string_are_no_values(text):
    assert task_from({"title": text, "labels": [","] * 100}).title == text


def test_as_many_values_as_may_be_are_read():
    values = parse_json(b"[" + b'{"a": ","},' * (MOST_VALUES // 2 - 1) + b"{}]")
    assert isinstance(values, list)
    assert len(values) == MOST_VALUES // 2


def test_a_name_that_is_echoed_is_cut_and_can_be_written():
    ((_, long),) = refusals({"x" * 10_000: 1})
    assert len(long) == 100
    ((_, broken),) = refusals(b'{"\\ud800": 1}')
    assert to_json(broken) == b'"?"'


def test_a_field_that_the_path_has_filled_may_not_be_in_the_body_too():
    assert refusals({"email": "b", "username": "u"}, register, ("a",)) == [("DUPLICATE_FIELD", "email")]
    assert register(("a",), b"", b'{"username": "u"}') == auth_service_pb2.RegisterRequest(email="a", username="u")


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
