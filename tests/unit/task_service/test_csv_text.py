"""CSV text: what spreadsheets take for formulas, and pieces that do not grow."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_service.csv_dialect.text import CHUNK_CHARACTERS, csv_chunks, csv_text, escape_formula, unescape_formula


@given(st.text(st.sampled_from("'=+-@\t\r\n\uff1d\uff0b\uff0d\uff20 ax")))
def test_neutralised_text_round_trips(cell):
    shown = escape_formula(cell)
    assert not shown.startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))
    assert unescape_formula(shown) == cell


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
def test_a_cell_that_begins_like_a_formula_gets_a_mark(cell):
    assert csv_text([[cell]]) in {f"'{cell}\r\n", f'"\'{cell}"\r\n'}


def test_long_text_comes_in_pieces_of_whole_rows():
    rows = [[str(number), "x" * (number % 3000)] for number in range(2000)]
    pieces = list(csv_chunks(rows))
    assert len(pieces) > 2
    assert all(piece.endswith("\r\n") and len(piece) < CHUNK_CHARACTERS + 3100 for piece in pieces)
    assert list(csv.reader(io.StringIO("".join(pieces), newline=""))) == rows
    assert list(csv_chunks([])) == []
