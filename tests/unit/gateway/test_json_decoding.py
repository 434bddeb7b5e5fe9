"""Decoding of JSON to messages, and the violations of invalid JSON."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from gateway.transcoding.json_codec.encoder import to_json
from gateway.transcoding.json_codec.parser import MAX_JSON_VALUES, parse_json
from gateway.transcoding.violations import InvalidRequest
from tests.unit.gateway.json_helpers import create_task, decode_import, decode_task, register, violations_of


def test_enum_names_are_lower_case():
    """Enum names are in lower case, with underscores or hyphens."""
    assert decode_task({"status": "in-progress"}).status == task_pb2.Task.STATUS_IN_PROGRESS
    assert decode_task({"status": "in_progress"}).status == task_pb2.Task.STATUS_IN_PROGRESS


@pytest.mark.parametrize("word", ["PENDING", "STATUS_PENDING", "Pending", "unspecified", "", "done"])
def test_unknown_enum_name_is_invalid(word):
    assert violations_of({"status": word}) == [("UNKNOWN_VALUE", "status")]


def test_enum_error_lists_the_names():
    with pytest.raises(InvalidRequest, match="pending, in_progress, completed, cancelled"):
        decode_task({"status": "done"})


def test_null_is_an_absent_field():
    assert decode_task({"title": None, "status": None}) == task_pb2.Task()


def test_empty_body_is_an_empty_message():
    """An empty body sets the body field to an empty message."""
    assert create_task((), b"", b"").HasField("task")


@pytest.mark.parametrize(
    ("body", "violation"),
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
def test_violation_names_reason_and_field(body, violation):
    assert violations_of(body) == [violation]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'title': 'a'}",
        b'{"title": NaN}',
        b'{"title": Infinity}',
        b'{"title": -Infinity}',
        b'{"title": "\xff"}',
        b'\xef\xbb\xbf\xef\xbb\xbf{"title": "a"}',
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
def test_malformed_json_is_rejected(body):
    assert violations_of(body) == [("MALFORMED_JSON", None)]


def test_all_violations_are_reported():
    assert violations_of({"title": 1, "status": "x", "id": "a", "nope": 1}) == [
        ("WRONG_TYPE", "title"),
        ("UNKNOWN_VALUE", "status"),
        ("READ_ONLY_FIELD", "id"),
        ("UNKNOWN_FIELD", "nope"),
    ]


def test_at_most_fifty_violations_are_reported():
    assert len(violations_of({f"field{number}": 1 for number in range(1000)})) == 50


@pytest.mark.parametrize(
    "body",
    [
        b'{"labels": [' + b"1," * MAX_JSON_VALUES + b"1]}",
        b'{"labels": [' + b'"a",' * 50_000 + b'"a"]}',
        b'{"labels": [' + b"{}," * MAX_JSON_VALUES + b"{}]}",
        b"{" + b",".join(b'"k%d": "\\\\"' % number for number in range(MAX_JSON_VALUES + 1)) + b"}",
        b'{"a": ' + b"[[]," * MAX_JSON_VALUES,
    ],
    ids=range(5),
)
def test_too_many_values_are_rejected(body):
    """A body with more values than any request needs is rejected before the parser reads it."""
    assert violations_of(body) == [("TOO_MANY_VALUES", None)]


@pytest.mark.parametrize("text", ["," * 20_000, "[{" * 10_000, '\\",' * 20_000, "\\" * 20_001 + ',"' * 20_000])
def test_separators_in_strings_do_not_count(text):
    """Commas and brackets inside a string do not count as values."""
    assert decode_task({"title": text, "labels": [","] * 100}).title == text


def test_maximum_number_of_values_is_accepted():
    values = parse_json(b"[" + b'{"a": ","},' * (MAX_JSON_VALUES // 2 - 1) + b"{}]")
    assert isinstance(values, list)
    assert len(values) == MAX_JSON_VALUES // 2


def test_echoed_name_is_truncated_and_printable():
    """A field name in a violation is truncated, and can be written as JSON. Its invisible characters show."""
    ((_, long),) = violations_of({"x" * 10_000: 1})
    assert len(long) == 100
    ((_, broken),) = violations_of(b'{"\\ud800": 1}')
    assert violations_of({"\u200btitle\xa0": 1}) == [("UNKNOWN_FIELD", "<U+200B>title<U+00A0>")]
    assert to_json(broken) == b'"<U+D800>"'


def test_path_field_is_rejected_in_body():
    """A field that the path fills must not be in the body."""
    assert violations_of({"email": "b", "username": "u"}, register, ("a",)) == [("DUPLICATE_FIELD", "email")]
    assert register(("a",), b"", b'{"username": "u"}') == auth_service_pb2.RegisterRequest(email="a", username="u")


@pytest.mark.parametrize(
    ("value", "violation"),
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
def test_field_path_includes_lists_and_objects(value, violation):
    with pytest.raises(InvalidRequest) as raised:
        decode_import(value)
    assert [(violation.reason, violation.field) for violation in raised.value.violations] == [violation]


@pytest.mark.parametrize("text", ["2026-03-01T12:00:00Z", "2026-03-01t13:00:00+01:00", "2026-03-01T12:00:00.000z"])
def test_time_can_have_any_zone(text):
    assert decode_import({"created_at": text}).created_at == Timestamp(seconds=1772366400)


def test_byte_order_mark_is_ignored():
    """Some clients write a byte order mark before the JSON (RFC 8259 section 8.1)."""
    request = create_task((), b"", b'\xef\xbb\xbf{"title": "x"}')
    assert request == task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title="x"))
