"""Row encoder: the COPY data of a row are the values that an INSERT writes for any other task."""

import hashlib
import io
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Date, DateTime, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from uuid_utils import uuid7

from task_service.history.domain.events import ERASABLE_FIELDS, Actor
from task_service.history.persistence.events import ENCODED_COLUMNS, SALT_BYTES, encode_event
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.persistence import row_encoder
from task_service.imports.persistence.binary_copy import encode_value
from task_service.imports.persistence.row_encoder import EVENT_COLUMNS, TASK_COLUMNS, CopyRows, encode_rows
from task_service.persistence.tables import task_events, tasks
from task_service.tasks.domain.task import TaskDraft, Values, new_task
from task_service.tasks.domain.task_events import task_created
from task_service.tasks.domain.values import Priority, Status

CONTEXT = IngestContext(UUID(int=1), UUID(int=2), Actor(UUID(int=3), "user", "request\\1"), ("title",))
PRINTABLE = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"], exclude_characters=","), min_size=1
)
VALUES = st.builds(
    Values,
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1),
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    st.sampled_from(Status),
    st.sampled_from(Priority),
    st.one_of(st.none(), st.dates()),
    st.lists(PRINTABLE, max_size=3).map(tuple),
    st.one_of(st.just(""), PRINTABLE),
    st.one_of(st.none(), st.uuids()),
    st.one_of(st.none(), st.datetimes(datetime(1900, 1, 1), timezones=st.just(UTC))),  # noqa: DTZ001 - a bound
)


TYPES = {
    BigInteger: "int8",
    Date: "date",
    DateTime: "timestamptz",
    JSONB: "jsonb",
    LargeBinary: "bytea",
    Text: "text",
    Uuid: "uuid",
}


def decode(data: bytes, table: Table, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Decode COPY data with the driver. A row is a count of cells, then each cell with its length."""
    rows = []
    source = io.BytesIO(data)
    while count := source.read(2):
        assert int.from_bytes(count) == len(columns)
        rows.append({name: _decode_cell(table.c[name], _read_cell(source)) for name in columns})
    return rows


TRANSACTION_NUMBER = 42


def decode_events(copied: CopyRows) -> list[dict[str, Any]]:
    return decode(copied.events.encode(encode_value(TRANSACTION_NUMBER)), task_events, EVENT_COLUMNS)


def _read_cell(source: io.BytesIO) -> bytes | None:
    length = int.from_bytes(source.read(4), signed=True)
    return None if length == -1 else source.read(length)


def _decode_cell(column: Column[Any], value: bytes | None) -> Any:
    if value is None:
        return None
    array = isinstance(column.type, ARRAY)
    info = psycopg.adapters.types["text" if array else TYPES[type(column.type)]]
    oid = info.array_oid if array else info.oid
    loader = psycopg.adapters.get_loader(oid, psycopg.pq.Format.BINARY)
    assert loader is not None
    return loader(oid).load(value)


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_copied_rows_equal_inserted_rows(accepted):
    copied = encode_rows(CONTEXT, accepted)
    task_rows, event_rows = decode(copied.tasks, tasks, TASK_COLUMNS), decode_events(copied)
    for values, task_row, event_row in zip(accepted, task_rows, event_rows, strict=True):
        task = new_task(values, task_id=task_row["id"], owner_id=UUID(int=2), import_id=UUID(int=1))
        event = task_created(task, by=CONTEXT.actor, event_id=event_row["id"])
        assert task_row | {"labels": tuple(task_row["labels"])} == task._asdict()
        stored = dict(zip(ENCODED_COLUMNS, encode_event(event, event_row["salt"]), strict=True))
        assert event_row == stored | {
            "changes": json.loads(stored["changes"]),
            "transaction_number": TRANSACTION_NUMBER,
        }


@given(st.lists(VALUES, min_size=2, max_size=3))
def test_each_event_has_its_own_salt(accepted):
    rows = decode_events(encode_rows(CONTEXT, accepted))
    for row, values in zip(rows, accepted, strict=True):
        changes, text, salt = row["changes"], row["free_text"], row["salt"]
        assert json.loads(text)["title"] == ["", values.title]
        assert set(json.loads(text)) == {field for field, pair in changes.items() if pair is None}
        assert set(json.loads(text)) == ERASABLE_FIELDS & set(changes)
        assert (len(salt), hashlib.sha256(salt + text.encode()).digest()) == (SALT_BYTES, row["free_text_digest"])
    assert len({row["salt"] for row in rows}) == len(rows)


def test_completion_at_the_time_of_creation_is_no_change(monkeypatch):
    """The event implies its own time, so the encoder leaves it out as `task_created` does."""
    fixed = uuid7()
    monkeypatch.setattr(row_encoder, "uuid7", lambda: fixed)
    created_at = datetime.fromtimestamp(fixed.timestamp / 1000, UTC)
    values = TaskDraft(title="x", status="completed").validate()
    for completed_at, has_change in ((created_at, False), (created_at.replace(microsecond=1), True), (None, False)):
        copied = encode_rows(CONTEXT, [values._replace(completed_at=completed_at)])
        assert ("completed_at" in decode_events(copied)[0]["changes"]) is has_change
