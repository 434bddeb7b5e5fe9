"""Files in other encodings than UTF-8: equal rows, exact offsets, and a defect for every invalid byte."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from import_worker.domain.batch import Batch, DefectKind
from import_worker.domain.lease import Checkpoint, Dialect, RecordLimits
from import_worker.domain.record_parser import BatchLimits, RecordParser
from tests.unit.import_worker.parsing import chunked, parse_all

WIDE = ["utf-16-le", "utf-16-be"]
# U+0A0D and U+0D0A have the bytes of line ends in either order, U+0A00 and U+000A those of a line end's half.
TEXT = st.text(st.one_of(st.sampled_from('a,"\r\n\u0a0d\u0d0a\u0a00\u0d00😀\u2028'), st.characters(codec="utf-8")))


def parse(data: bytes, encoding: str, *, columns: int, chunk: int = 1 << 16, begin: Checkpoint | None = None):
    begin = begin or Checkpoint(offset=0, line=2, records=0)
    parser = RecordParser(
        begin=begin,
        dialect=Dialect(delimiter=",", columns=columns, encoding=encoding),
        size=len(data),
        batch_limits=BatchLimits(max_rows=2),
        record_limits=RecordLimits(),
    )
    batches = list(parse_all(parser, chunked(data[begin.offset :], chunk)))
    return batches, [cell for batch in batches for cell in batch.cells]


@pytest.mark.parametrize("encoding", WIDE)
@given(
    rows=st.lists(st.tuples(TEXT, TEXT).filter(lambda row: "".join(row).strip()), max_size=6), chunk=st.integers(1, 9)
)
def test_utf_16_round_trips_from_every_checkpoint(encoding, rows, chunk):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    data = text.getvalue().encode(encoding)
    batches, cells = parse(data, encoding, columns=2, chunk=chunk)
    assert cells == [cell for row in rows for cell in row]
    for batch in batches:
        _, rest = parse(data, encoding, columns=2, begin=batch.end)
        assert rest == cells[2 * batch.end.records :]


def defects_of(batches: list[Batch]) -> list[tuple[int, DefectKind, int]]:
    return [
        (batch.begin.records + defect.row, defect.kind, defect.cell) for batch in batches for defect in batch.defects
    ]


@pytest.mark.parametrize("encoding", WIDE)
def test_lone_surrogate_in_utf_16_is_reported(encoding):
    lone = "\ud83d".encode(encoding, "surrogatepass")
    data = "a,b\n".encode(encoding) + "c,d".encode(encoding) + lone + "\ne,f\n".encode(encoding)
    batches, cells = parse(data, encoding, columns=2)
    assert cells == ["a", "b", "c", "d�", "e", "f"]
    assert defects_of(batches) == [(1, DefectKind.UNDECODABLE, 1)]


@pytest.mark.parametrize("encoding", WIDE)
def test_odd_last_byte_of_utf_16_is_reported(encoding):
    batches, cells = parse("a,b".encode(encoding) + b"c", encoding, columns=2)
    assert cells == ["a", "b�"]
    assert defects_of(batches) == [(0, DefectKind.UNDECODABLE, 1)]


@pytest.mark.parametrize(
    ("encoding", "text"), [("cp1252", "Käse für 5 €"), ("shift_jis", "表示"), ("koi8-r", "Привет"), ("cp437", "½")]
)
def test_other_encodings_are_decoded_by_name(encoding, text):
    batches, cells = parse(f"{text},x\nlast,y\n".encode(encoding), encoding, columns=2, chunk=1)
    assert cells == [text, "x", "last", "y"]
    assert defects_of(batches) == []


def test_byte_undefined_in_windows_1252_is_reported():
    """A byte that windows-1252 does not define is a defect and becomes U+FFFD, never another letter."""
    batches, cells = parse(b"a\x81,b\nc,d\n", "cp1252", columns=2)
    assert cells == ["a�", "b", "c", "d"]
    assert defects_of(batches) == [(0, DefectKind.UNDECODABLE, 0)]
