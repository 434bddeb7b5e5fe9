"""The option `mapping` in its two forms."""

import json

import pytest

from chassis.kernel.errors import Invalid
from task_service.imports.domain.columns.mapping import parse_mapping
from task_service.imports.domain.header.header import HeaderLimits, parse_header
from task_service.imports.domain.options.upload_options import UploadOptions


def header_of(line: str, mapping: object):
    """Parse a header line with a mapping that is text, or becomes JSON."""
    text = mapping if isinstance(mapping, str) else json.dumps(mapping)
    options = UploadOptions(mapping=parse_mapping(text))
    return parse_header(f"{line}\n".encode(), options, HeaderLimits(), is_complete=True)


@pytest.mark.parametrize(
    ("line", "mapping", "fields"),
    [
        ("Summary,Due,Assignee", {"Summary": "title", "Due": "due_date", "Assignee": None}, ["title", "due_date", ""]),
        ("A,B,C", {"#2": "title", " #3 ": "Due Date"}, ["", "title", "due_date"]),
        ("A,B,C", "title:#2,due_date:#3", ["", "title", "due_date"]),
        ('"Task, or\nnote",Due', {"task, or note": "title"}, ["title", "due_date"]),
        ('"a:b",c', {"a:b": "title", "c": "labels"}, ["title", "labels"]),
        ("title,Labels,Labels", {"#3": "labels"}, ["title", "", "labels"]),
        ("title,Labels,Labels,Tags", {"Labels": None}, ["title", "", "", "labels"]),
        ("title,#1", {"#2": "description"}, ["title", "description"]),
        ("title,Name,Due", {"title": None}, ["", "title", "due_date"]),
        ("title,due", {}, ["title", "due_date"]),
        ("title,due", " {}", ["title", "due_date"]),
    ],
)
def test_columns_are_mapped(line, mapping, fields):
    assert list(header_of(line, mapping).fields) == fields


def test_ignored_column_is_no_warning():
    header = header_of("title,Reporter,,Votes", {"Reporter": None, "#3": None})
    assert header.warnings == ("The column 'Votes' is not used.",)


@pytest.mark.parametrize(
    ("mapping", "reason", "words"),
    [
        ({"Due": "Colour"}, "UNKNOWN_MAPPED_FIELD", ["'Colour'"]),
        ({"Due": "colour"}, "UNKNOWN_MAPPED_FIELD", ["'Due'", "'colour'", "due_date"]),
        ("colour:Due", "UNKNOWN_MAPPED_FIELD", ["'Due'", "'colour'", "due_date"]),
        ({"Deadline": "due_date"}, "MAPPED_COLUMN_MISSING", ["'Deadline'", "due_date", "'title', 'Due'"]),
        ({"Deadline": None}, "MAPPED_COLUMN_MISSING", ["'Deadline'", "null"]),
        ({" Dead\xa0\nLine ": "due_date"}, "MAPPED_COLUMN_MISSING", ["'Dead Line'"]),
        ({"#3": "labels"}, "MAPPED_COLUMN_MISSING", ["'#3'", "labels"]),
        ("labels:#999999", "MAPPED_COLUMN_MISSING", ["'#999999'"]),
        ({"#0": "labels"}, "MAPPED_COLUMN_MISSING", ["'#0'"]),
        ({"\ud800": "labels"}, "MAPPED_COLUMN_MISSING", ["'<U+D800>' with the invisible character U+D800"]),
        ({"Due": "\ud800"}, "UNKNOWN_MAPPED_FIELD", ["'<U+D800>'"]),
        ({"Due": "due_date", "due ": "labels"}, "DUPLICATE_MAPPED_COLUMN", ["'due'"]),
        ({"Due": "due_date", "#2": "labels"}, "DUPLICATE_MAPPED_COLUMN", ["'Due'"]),
        ('{"Due": "due_date", "Due": "labels"}', "DUPLICATE_MAPPED_COLUMN", ["'Due'"]),
        ({"title": "status", "Due": "status"}, "MALFORMED_MAPPING", ["'title' and 'Due' both fill status"]),
        ({"title": 1}, "MALFORMED_MAPPING", ["'title' needs a field"]),
        ({"title": " "}, "MALFORMED_MAPPING", ["'title' needs a field"]),
        ({" ": "labels"}, "MALFORMED_MAPPING", ["has no name"]),
        ("labels:", "MALFORMED_MAPPING", ["has no name"]),
        ("labels", "MALFORMED_MAPPING", ["'labels' is no pair"]),
        (":Due", "MALFORMED_MAPPING", ["':Due' is no pair"]),
        ("{", "MALFORMED_MAPPING", ["it is not JSON", '{"Subject": "title"}']),
        (f'{{"a": {"[" * 60_000}', "MALFORMED_MAPPING", ["it is not JSON"]),
        ("x" * 65_537, "MALFORMED_MAPPING", ["longer than 65536"]),
    ],
)
def test_mapping_with_a_mistake_is_refused(mapping, reason, words):
    with pytest.raises(Invalid) as caught:
        header_of("title,Due", mapping)
    assert (caught.value.field, caught.value.reason) == ("mapping", reason)
    caught.value.message.encode()
    assert all(word in caught.value.message for word in words), caught.value.message
