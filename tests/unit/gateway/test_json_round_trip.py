"""Property tests: messages survive encoding and decoding, and any bytes decode or raise InvalidRequest."""

from contextlib import suppress

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_pb2

from gateway.transcoding.violations import InvalidRequest
from tests.unit.gateway.json_helpers import create_task, decode_import, decode_task, encode

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
def test_task_round_trip(task):
    written = encode(task)
    read_only = ("id", "import_id", "created_at", "updated_at", "completed_at", "deleted_at", "purge_at")
    assert decode_task({name: value for name, value in written.items() if name not in read_only}) == task


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
def test_import_round_trip(message):
    assert decode_import(encode(message)) == message


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_decode_or_are_invalid(body):
    """Any bytes decode to a task or raise InvalidRequest."""
    with suppress(InvalidRequest):
        assert create_task((), b"", body).HasField("task")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([field.name for field in import_pb2.Import.DESCRIPTOR.fields]), json_values))
def test_any_json_value_decodes_or_is_invalid(value):
    """Any JSON value in any field decodes or raises InvalidRequest."""
    with suppress(InvalidRequest):
        decode_import(value)
