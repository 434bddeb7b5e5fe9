"""CSV text: escaped formulas, and chunks of bounded size."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_service.csv_dialect.text import CHUNK_CHARACTERS, csv_chunks, csv_text, escape_formula, unescape_formula


@given(st.text(st.sampled_from("'=+-@\t\r\n\uff1d\uff0b\uff0d\uff20 ax")))
def test_escaped_cell_round_trips(cell):
    escaped = escape_formula(cell)
    assert not escaped.startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))
    assert unescape_formula(escaped) == cell


@pytest.mark.parametrize(
    "cell",
    [
        "=1",
        "+1",
        "-1",
        "@a",
        "\ta",
        "\ra",
        "'=1",
        "''@",
        "\n=1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20a",
        "'\uff1d1",
    ],
)
def test_formula_cell_gets_an_apostrophe(cell):
    assert csv_text([[cell]]) in {f"'{cell}\r\n", f'"\'{cell}"\r\n'}


def test_long_text_is_split_into_chunks_of_whole_rows():
    rows = [[str(number), "x" * (number % 3000)] for number in range(2000)]
    chunks = list(csv_chunks(rows))
    assert len(chunks) > 2
    assert all(chunk.endswith("\r\n") and len(chunk) < CHUNK_CHARACTERS + 3100 for chunk in chunks)
    assert list(csv.reader(io.StringIO("".join(chunks), newline=""))) == rows
    assert list(csv_chunks([])) == []
