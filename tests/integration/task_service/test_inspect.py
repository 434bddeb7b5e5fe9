"""Inspection of files: the proposals, and the options that can be sent back with the file."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import task_pb2

from tests.integration.task_service.import_calls import get, messages, upload
from tests.support.grpc_calls import expect_failure, refused

CASES = Path(__file__).parents[2] / "cases" / "csv"
Options = import_service_pb2.UploadOptions
FILE = (
    b"Name,Stage,Status,Due,Assignee,Priority,Note\n"
    b"a,x,Blocked,12/31/2026,ann,1,n\n"
    b"b,y,waiting for review,1/5/2027,,high,\n"
    b"c,y,Blocked,,,3,\n"
)


async def inspect(system, user, data: bytes, **options: Any) -> import_service_pb2.InspectImportResponse:
    return await system.imports.InspectImport(messages(data, **options), metadata=user.metadata)


async def test_inspection_describes_the_file(system, database):
    sonu = await system.new_user("sonu")
    found = await inspect(system, sonu, FILE)
    assert (found.source, found.encoding, found.delimiter, found.header_row) == ("", "utf-8", ",", 1)
    columns = [(column.number, column.name, column.target, list(column.values)) for column in found.columns]
    assert columns[:4] == [
        (1, "Name", "title", ["a", "b", "c"]),
        (2, "Stage", "", ["x", "y"]),
        (3, "Status", "status", ["Blocked", "waiting for review"]),
        (4, "Due", "due_date", ["12/31/2026", "1/5/2027"]),
    ]
    assert await database.execute("SELECT count(*) FROM tasks.imports") == [(0,)]


async def test_inspection_refuses_the_options_of_no_upload(system):
    """An inspection that succeeds must not be followed by an upload that is refused for the same options."""
    sonu, anna = await system.new_user("sonu"), await system.new_user("anna")
    for options, reason in (
        ({"owner_id": anna.id}, "OWNER_NOT_YOURS"),
        ({"file_name": "a\x00.csv"}, "CONTROL_CHARACTER_IN_FILE_NAME"),
        ({"file_name": "a" * 256}, "FILE_NAME_TOO_LONG"),
    ):
        for call in (inspect, upload):
            assert (await refused(call(system, sonu, FILE, **options))).reason == reason


async def test_inspection_proposes_values_that_nothing_maps(system):
    sonu = await system.new_user("sonu")
    found = await inspect(system, sonu, FILE)
    unmapped = [(value.field, value.text, value.proposal, value.rows) for value in found.unmapped_values]
    assert unmapped == [
        ("status", "Blocked", "pending", 2),
        ("priority", "1", "", 1),
        ("status", "waiting for review", "pending", 1),
        ("priority", "3", "", 1),
    ]
    assert found.date_order == Options.DATE_ORDER_MDY
    problems = {(problem.line, problem.column, problem.code) for problem in found.problems}
    assert (3, "due_date", "AMBIGUOUS_DATE") in problems
    assert (2, "status", "UNKNOWN_STATUS") in problems


async def test_options_of_an_inspection_fit_the_file(system):
    """With the returned options, the inspection proposes nothing more and the upload accepts the file."""
    sonu = await system.new_user("sonu")
    mapping = {"value_mapping": '{"priority": {"1": "urgent", "3": "low"}}'}
    options = (await inspect(system, sonu, FILE, **mapping)).options
    again = await inspect(system, sonu, FILE, **{field.name: value for field, value in options.ListFields()})
    assert (list(again.problems), list(again.unmapped_values), again.options) == ([], [], options)
    assert options.on_unknown_assignee == Options.ON_UNKNOWN_ASSIGNEE_LEAVE_EMPTY
    assert (
        options.mapping
        == ('{"Name": "title", "Status": "status", "Due": "due_date", "Assignee": "assignee", "Priority": "priority"}')
        or "description" in options.mapping
    )
    tasks = [(task.title, task.status, task.priority, task.due_date) for task in again.rows]
    assert tasks == [
        ("a", task_pb2.Task.STATUS_PENDING, task_pb2.Task.PRIORITY_URGENT, "2026-12-31"),
        ("b", task_pb2.Task.STATUS_PENDING, task_pb2.Task.PRIORITY_HIGH, "2027-01-05"),
        ("c", task_pb2.Task.STATUS_PENDING, task_pb2.Task.PRIORITY_LOW, ""),
    ]
    sent = {field.name: value for field, value in options.ListFields()}
    assert (await get(system, sonu, (await upload(system, sonu, FILE, **sent)).id)).options.date_order == (
        Options.DATE_ORDER_MDY
    )


@pytest.mark.parametrize(
    ("data", "proposal", "reason"),
    [
        ("title,status\nä,pending\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, "UNMARKED_UTF16"),
        ("Aufgabe: ä\ntitle,status\na,pending\n".encode("cp1252"), {"encoding": "cp1252", "header_row": 2}, None),
        ("title,status\nä,pending\n".encode("cp1252"), {"encoding": "cp1252"}, "FILE_NOT_UTF8"),
        (b"My tasks of November\n\ntitle,status\nA,pending\n", {"header_row": 3}, "MISSING_TITLE_COLUMN"),
        (b"\n\ntitle;status\nA;pending\n", {"header_row": 3}, "EMPTY_FILE"),
        (b"title,Note,Note\nA,b,c\n", {"mapping": '{"title": "title", "#2": "description"}'}, "DUPLICATE_COLUMN"),
    ],
)
async def test_inspection_proposes_the_format(system, data, proposal, reason):
    sonu = await system.new_user("sonu")
    found = await inspect(system, sonu, data)
    assert {name: getattr(found.options, name) for name in proposal} == proposal
    assert found.problems[0].line == 0
    assert reason in {None, found.problems[0].code}
    assert len(found.rows) == 1


@pytest.mark.parametrize("beginning", ["\ufefftitle,status", "title,status,\N{HAPPY PERSON RAISING ONE HAND}"])
async def test_damaged_utf_8_keeps_its_encoding(system, beginning):
    """A byte order mark contradicts every other encoding, and another encoding would garble the names."""
    sonu = await system.new_user("sonu")
    found = await inspect(system, sonu, beginning.encode() + b"\nK\xe4se,pending,\na,done,\n")
    assert (found.encoding, found.options.encoding) == ("utf-8", "")
    assert [(problem.line, problem.code) for problem in found.problems] == [(0, "FILE_NOT_UTF8")]
    assert "a" in [task.title for task in found.rows]


async def test_damaged_header_line_after_a_mark_is_refused(system):
    sonu = await system.new_user("sonu")
    failure = await expect_failure(inspect(system, sonu, b"\xef\xbb\xbftitle,\xe4\na,b\n"))
    assert failure.reason == "HEADER_NOT_UTF8"


async def test_inspection_without_a_title_lists_the_columns(system):
    """A client can offer them for the title."""
    sonu = await system.new_user("sonu")
    found = await inspect(system, sonu, b"a,due\nc,d\n")
    assert [(column.name, column.target) for column in found.columns] == [("a", ""), ("due", "due_date")]
    assert [(problem.line, problem.code) for problem in found.problems] == [(0, "MISSING_TITLE_COLUMN")]
    assert (found.header_row, list(found.rows)) == (0, [])


async def test_beginning_of_a_file_is_enough(system):
    """A row that is cut at the end of the inspected part is no error, and further bytes are ignored."""
    sonu = await system.new_user("sonu")
    row = b'"a\nb",pending\n'
    rows = b"title,status\n" + b"".join(b'%d,"pending"\n' % number for number in range(40_000)) + row * 100
    found = await inspect(system, sonu, rows[: 300 * 1024])
    assert (list(found.problems), [task.title for task in found.rows]) == ([], ["0", "1", "2", "3", "4"])
    assert found.columns[0].has_more_values
    assert len(found.columns[0].values) == 50


@pytest.mark.parametrize(
    ("rows", "code", "line"),
    [(b'a\n"b\nc\n', "UNCLOSED_QUOTE", 3), (b'a\n"b"c\nd\n', "STRAY_QUOTE", 3)],
)
async def test_inspection_names_the_record_that_cannot_be_parsed(system, rows, code, line):
    sonu = await system.new_user("sonu")
    found = await inspect(system, sonu, b"title\n" + rows)
    assert [(problem.line, problem.code) for problem in found.problems] == [(line, code)]
    assert [task.title for task in found.rows] == ["a"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "EMPTY_FILE"), (b"\x1f\x8b\x08" + b"x" * 2000, "COMPRESSED_FILE"), (b'{"a": 1}', "UNSUPPORTED_FORMAT")],
)
async def test_file_that_is_not_csv_is_refused(system, data, reason):
    sonu = await system.new_user("sonu")
    failure = await expect_failure(inspect(system, sonu, data))
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


@pytest.mark.parametrize(
    ("field", "text", "proposal"),
    [
        ("status", "Done (2026)", "completed"),
        ("status", "not done", ""),
        ("status", "Not started yet", "pending"),
        ("status", "On hold", "pending"),
        ("status", "Done or in progress", "in_progress"),
        ("status", "Zurückgestellt", ""),
        ("priority", "High!", "high"),
        ("priority", "5", ""),
    ],
)
async def test_proposal_of_a_word(system, field, text, proposal):
    sonu = await system.new_user("sonu")
    found = await inspect(system, sonu, f"title,{field}\na,{text}\n".encode())
    assert [(value.text, value.proposal) for value in found.unmapped_values] == [(text, proposal)]


async def test_unknown_word_of_a_done_column_is_a_status(system):
    """The texts of the status also apply to the columns that fill done."""
    sonu = await system.new_user("sonu")
    found = await inspect(system, sonu, b"title,Done\na,on hold\nb,perhaps\n")
    unmapped = [(value.field, value.text, value.proposal) for value in found.unmapped_values]
    assert unmapped == [("status", "on hold", "pending"), ("status", "perhaps", "")]
    assert [task.title for task in found.rows] == ["a"]


async def test_proposal_has_no_neutralising_apostrophe(system):
    sonu = await system.new_user("sonu")
    found = await inspect(system, sonu, b"title,status\na,'@blocked\n")
    assert [value.text for value in found.unmapped_values] == ["@blocked"]
    assert [task.title for task in found.rows] == ["a"]


@pytest.mark.parametrize(
    ("header", "options"),
    [
        (b"title,My Tags,my_tags", {"mapping": '{"#2": "labels", "#3": "labels"}'}),
        (b"title,Tags,TAGS,tags ", {}),
        (b"#2,Title", {"mapping": '{"#1": "labels"}'}),
        (b"title,,Tags", {"mapping": '{"#2": "labels", "tags": null}'}),
        (b"title,Tags", {"title_label_prefix": "", "null_values": "", "row_filter": ""}),
    ],
)
async def test_returned_mapping_names_the_same_columns(system, header, options):
    sonu = await system.new_user("sonu")
    found = await inspect(system, sonu, header + b"\na,b,c,d\n", **options)
    sent = {field.name: value for field, value in found.options.ListFields()}
    again = await inspect(system, sonu, header + b"\na,b,c,d\n", **sent)
    assert [column.target for column in again.columns] == [column.target for column in found.columns]
    assert (list(again.rows), again.options) == (list(found.rows), found.options)


async def test_returned_options_of_many_unknown_words_can_be_sent(system):
    """Only the most frequent words are returned, and long texts have no proposal: value_mapping has a limit."""
    sonu = await system.new_user("sonu")
    rows = [f"a,blocked {number} {'x' * 40}\n" for number in range(300)] + [f"a,blocked {'y' * 200}\n"] * 2
    data = "title,status\n" + "".join(rows)
    found = await inspect(system, sonu, data.encode())
    assert len(found.unmapped_values) == 200
    assert [value.proposal for value in found.unmapped_values[:2]] == ["", "pending"]
    sent = {field.name: value for field, value in found.options.ListFields()}
    assert len((await inspect(system, sonu, data.encode(), **sent)).unmapped_values) == 102


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("ログインできない,手順", "cp932"),
        ("登录失败,步骤", "gb18030"),
        ("Купить молоко,в магазине", "cp1251"),
        ("Où est le garçon,çà", "mac-roman"),
    ],
)
async def test_other_scripts_get_no_western_encoding(system, text, encoding):
    """A wrong encoding would garble every title, so the user has to name the right one."""
    sonu = await system.new_user("sonu")
    found = await inspect(system, sonu, f"title,description\na,b\n{text}\n".encode(encoding))
    assert (found.options.encoding, found.problems[0].code) == ("", "FILE_NOT_UTF8")
    failure = await expect_failure(inspect(system, sonu, f"{text}\na,b\n".encode(encoding)))
    assert failure.reason == "HEADER_NOT_UTF8"


@pytest.mark.parametrize("text", ["Größe", "Schöne Füße, große Mühe", "À bientôt, créée là"])
async def test_western_text_gets_its_encoding(system, text):
    sonu = await system.new_user("sonu")
    found = await inspect(system, sonu, f'title\n"{text}"\n'.encode("cp1252"))
    assert (found.options.encoding, [task.title for task in found.rows]) == ("cp1252", [text])


@pytest.mark.parametrize(
    ("labels", "separator"),
    [
        (["home;money", "", "home"], ";"),
        (["home|money"], "|"),
        (["a;b", "c,d"], ""),
        (["a;b", "c|d"], ""),
        (["home"], ""),
    ],
)
async def test_inspection_proposes_the_label_separator(system, labels, separator):
    sonu = await system.new_user("sonu")
    file = "title,tags\n" + "".join(f'a,"{cell}"\n' for cell in labels)
    found = await inspect(system, sonu, file.encode())
    assert found.options.label_separator == separator
    if separator:
        assert list(found.rows[0].labels) == ["home", "money"]


async def test_source_keeps_its_label_separator(system):
    """A label of this task manager may have a semicolon, and its export has commas between labels."""
    sonu = await system.new_user("sonu")
    file = b"title,description,status,priority,due_date,labels,external_id,assignee\na,,pending,none,,b;c,,\n"
    found = await inspect(system, sonu, file)
    assert (found.source, found.options.label_separator) == ("taskmanager", "")
