"""Cells of several labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_service.csv_dialect.text import join_labels, split_labels

LABELS = st.lists(st.text("ab[]\t ;|", min_size=1).filter(lambda label: not label.isspace() and ";" not in label))


@given(LABELS)
def test_joined_labels_are_split_into_the_same(labels):
    assert split_labels(join_labels(labels, ";"), ";") == tuple(labels)
    assert split_labels(join_labels(labels)) == tuple(labels)


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("a,b", ("a", "b")),
        ("[a,b]", ("a", "b")),
        ("[a,b] ", ("a", "b")),
        ("[]", ()),
        (",[a]", ("[a]",)),
        ("[a],[b]", ("[a]", "[b]")),
        ("[a", ("[a",)),
        ("null", ("null",)),
        ("{}", ("{}",)),
        ('["a", "b c"]', ("a", "b c")),
        ('["caf\\u00e9", ""]', ("caf\u00e9",)),
        ('["a, b"]', ("a, b",)),
        ("['a', 'b']", ("a", "b")),
        ("['a, b]", ("'a", " b")),
        ("['a' b]", ("'a' b",)),
        ('["a" b]', ('"a" b',)),
        ('[{"id": 1, "name": "a"}, {"name": "b"}]', ("a", "b")),
        ('[{"id": 1}]', ('{"id": 1}',)),
        ("a\r\nb\n", ("a", "b")),
    ],
)
def test_list_in_brackets_is_split(cell, labels):
    assert split_labels(cell) == labels
