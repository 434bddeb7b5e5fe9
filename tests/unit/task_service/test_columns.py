"""Fields that columns fill by their names, and the page that lists the names."""

import re
from pathlib import Path

import pytest

from task_service.imports.domain.columns.errors import DuplicateColumn, MissingTitleColumn
from task_service.imports.domain.columns.mapping import COMPLETED_AT, DONE, RESOLUTION, parse_mapping
from task_service.imports.domain.columns.matching import match_columns
from task_service.imports.domain.columns.synonyms import COLUMN_SYNONYMS, find_column_synonym
from task_service.tasks.domain.csv_export import COLUMNS

PAGE = (Path(__file__).parents[3] / "docs/imports.md").read_text()


def fields_of(header: str, mapping: str = "") -> list[str]:
    return list(match_columns(header.split(","), parse_mapping(mapping)).fields)


def test_page_lists_the_column_names_of_other_tools():
    rows = PAGE.split("| field | column names |\n|---|---|\n", 1)[1].split("\n\n", 1)[0]
    listed = dict(re.findall(r"^\| `(.+?)` \| (.+) \|$", rows, re.MULTILINE))
    assert listed == {field: ", ".join(names) for field, names in COLUMN_SYNONYMS.items()}


def test_each_column_name_has_one_meaning():
    assert tuple(COLUMN_SYNONYMS) == (*COLUMNS, COMPLETED_AT, DONE, RESOLUTION)
    for field, names in COLUMN_SYNONYMS.items():
        assert [find_column_synonym(name) for name in names] == [(field, rank) for rank in range(len(names))]
        assert find_column_synonym(field) == (field, 1 if field == "assignee" else 0)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("TASK NAME", "title"),
        (" Task Name", "title"),
        ("Task\r\nname", "title"),
        ("task-name", "title"),
        ("\N{SPIRAL CALENDAR PAD}\ufe0f Due", "due_date"),
        ("dueDate", "due_date"),
        ("assigned_to", "assignee"),
        ("Due Complete", "done"),
        ("Task Name*", "title"),
        ("Due date:", "due_date"),
        ("Done?", "done"),
        ("Assignee(s)", "assignee"),
        ("\N{CHECK MARK}", "done"),
        ("Task ID", ""),
        ("Completed At", "completed_at"),
        ("completion_date", "completed_at"),
        ("Closed Date", ""),
        ("% Done", "status"),
        ("Percent-complete", "status"),
        ("Parent task", ""),
        ("Project name", ""),
        ("", ""),
        ("?", ""),
        ("!", ""),
        (f"Due{'-' * 200}x", ""),
    ],
)
def test_column_name_of_another_tool(name, field):
    synonym = find_column_synonym(name)
    assert (synonym.field if synonym else "") == field


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("Name,Task,Due Date,Deadline", ["", "title", "due_date", ""]),
        ("Subject,Title,Notes,description", ["", "title", "", "description"]),
        ("Task,Done,Status,Completed", ["title", "done", "status", ""]),
        ("Task,Completed,Done", ["title", "", "done"]),
        ("name,Name,title", ["", "", "title"]),
        ("Name,Assignee,Assignee Email,Start Date", ["title", "", "assignee", ""]),
        ("Task,Owner,Assigned To,Tags,Category", ["title", "", "assignee", "labels", ""]),
    ],
)
def test_first_name_of_the_table_wins(header, fields):
    assert fields_of(header) == fields


def test_mapping_comes_before_column_names():
    assert fields_of("title,Name,Due", "title:Name,description:Due") == ["", "title", "description"]
    assert fields_of("Name,Due,Deadline", "due_date:Deadline") == ["title", "", "due_date"]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("Title,title,Name", "fill title: #1 'Title', #2 'title'. .* mapping=title:#1"),
        ("Name,name", "fill title: #1 'Name', #2 'name'."),
        ("task,Due,due", "fill due_date: #2 'Due', #3 'due'."),
    ],
)
def test_same_name_twice_is_refused(header, names):
    """The file does not say which of two equal columns is meant."""
    with pytest.raises(DuplicateColumn, match=names):
        fields_of(header)


def test_several_columns_fill_labels():
    assert fields_of("task,Tags,tags,Category") == ["title", "labels", "labels", ""]
    assert fields_of("task,Tags,tags,Type", "labels:#3,labels:Type") == ["title", "", "labels", "labels"]
    assert fields_of("task,x,X", "labels:x") == ["title", "labels", "labels"]


def test_missing_title_lists_the_columns_and_the_option():
    with pytest.raises(MissingTitleColumn) as caught:
        fields_of("TYPE,CONTENT,DESCRIPTION")
    assert "the option mapping=title:COLUMN. Found: 'TYPE', 'CONTENT', 'DESCRIPTION'." in caught.value.message
    with pytest.raises(MissingTitleColumn, match="'x19' and 980 more"):
        fields_of(",".join(f"x{number}" for number in range(1000)))
