import csv
import io

import pytest

from deploy.local.demo.sample import make_sample


@pytest.mark.parametrize(("rows", "invalid"), [(20_000, 20), (20, 20), (7, 3), (1, 0), (1, 1)])
def test_sample_has_the_row_counts_it_reports(rows: int, invalid: int):
    sample = make_sample(rows, invalid)
    _, *body = csv.reader(io.StringIO(sample.content.decode(), newline=""))
    assert len(body) == sample.rows == rows
    assert sum(not _is_valid(row) for row in body) == sample.invalid_rows == invalid


def test_twenty_invalid_rows_show_every_kind_of_error():
    _, *body = csv.reader(io.StringIO(make_sample(1000, 20).content.decode(), newline=""))
    assert len({tuple(row) for row in body if not _is_valid(row)}) == 6


def _is_valid(row: list[str]) -> bool:
    return len(row) == 5 and row[0].rpartition(" ")[2].isdigit()
