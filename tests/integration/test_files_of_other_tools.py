"""Files as other tools write them, imported through the services and the worker's own code."""

import csv
import io
from pathlib import Path

import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import task_service_pb2

CASES = Path(__file__).parents[1] / "cases" / "csv"


@pytest.mark.parametrize(
    ("name", "options", "titles"),
    [
        ("blank_rows_and_max_errors", {"max_errors": 10}, ["t0", "t1", "t2", "last"]),
        ("excel_sep_semicolon_line", {}, ["A"]),
        ("header_cell_with_line_break", {}, ["A"]),
        ("report_title_above_header", {"header_row": 3}, ["A"]),
        ("rows_with_trailing_comma_beyond_header", {}, ["A", "B", "C"]),
    ],
)
async def test_file_is_imported_without_an_edit(import_file, name, options, titles):
    done, found = await import_file((CASES / f"{name}.csv").read_bytes(), **options)
    assert (done.state, found) == (import_pb2.Import.STATE_SUCCEEDED, titles)
    assert (done.rows_read, done.rows_failed, list(done.warnings)) == (len(titles), 0, [])


async def test_lines_before_the_rows_are_counted(system, import_file):
    """Row errors have the physical line, also after a `sep=` line and a column name with line breaks."""
    done, titles = await import_file(b'sep=;\r\n"ti\rtle";"due\ndate"\r\na;\r\n;2026-01-01\r\n', mapping="title:ti tle")
    assert titles == ["a"]
    request = import_service_pb2.ListImportErrorsRequest(import_id=done.id)
    sonu = await system.login("sonu@example.com")
    errors = (await system.imports.ListImportErrors(request, metadata=sonu.metadata)).errors
    assert [(error.line, error.record, error.code) for error in errors] == [(6, 2, "BLANK_TITLE")]


@pytest.mark.parametrize(
    ("file", "options"),
    [
        (b"A,x\n,y\n\nB,z\n", {"has_header": False}),
        (b"\xef\xbb\xbfA,x\n,y\n\nB,z\n", {"has_header": False}),
        (b'My "tasks\nTask,Labels\nA,x\n,y\n\nB,z\n', {"header_row": 2}),
    ],
)
async def test_errors_csv_has_the_header_line_first(system, import_file, file, options):
    """errors.csv needs neither option: without column names in the file, they are #1, #2 and so on."""
    mapping = '{"#1": "title", "#2": "labels"}'
    done, titles = await import_file(file, mapping=mapping, **options)
    assert (titles, done.rows_read, done.rows_failed) == (["A", "B"], 3, 1)
    sonu = await system.login("sonu@example.com")
    request = import_service_pb2.ListImportErrorsRequest(import_id=done.id)
    errors = (await system.imports.ListImportErrors(request, metadata=sonu.metadata)).errors
    assert [(error.line, error.record) for error in errors] == [(2 + options.get("header_row", 0), 2)]
    download = import_service_pb2.DownloadImportErrorsRequest(import_id=done.id)
    parts = [part.data async for part in system.imports.DownloadImportErrors(download, metadata=sonu.metadata)]
    mended, titles = await import_file(b"".join(parts).replace(b"\n,y", b"\nC,y"), mapping=mapping)
    assert (titles, mended.rows_failed, list(mended.warnings)) == (["C"], 0, [])


async def test_row_of_a_wide_file_is_imported(import_file):
    header = ",".join(["title", *(f"column_{number}" for number in range(999))])
    done, titles = await import_file(f"{header}\na\nb{',x' * 999}\nc{',' * 2000}\n".encode())
    assert (done.rows_failed, titles) == (0, ["a", "b", "c"])


async def test_columns_are_mapped_by_name_and_number(system, import_file):
    """A column that the mapping ignores has no effect: nobody is called Ann Lee."""
    file = b'"Task, or\nnote",Labels,Labels,Assignee,Due\nA,x,y,Ann Lee,2026-12-31\n'
    mapping = '{"Task, or note": "title", "#3": "labels", "#2": null, "Assignee": null}'
    done, _ = await import_file(file, mapping=mapping)
    assert (done.rows_created, list(done.warnings)) == (1, [])
    sonu = await system.login("sonu@example.com")
    request = task_service_pb2.ListTasksRequest(import_id=done.id)
    (task,) = (await system.tasks.ListTasks(request, metadata=sonu.metadata)).tasks
    assert (task.title, list(task.labels), task.assignee_id, task.due_date) == ("A", ["y"], "", "2026-12-31")


@pytest.mark.parametrize(
    ("option", "codec", "title"),
    [
        ("iso-8859-1", "cp1252", "K\u00e4se f\u00fcr 5 \u20ac"),
        ("iso-8859-9", "cp1254", "\u0130stanbul \u20ac"),
        ("gb2312", "gb18030", "\u9577\u570b \u20ac"),
        ("x-sjis", "cp932", "\u8868\u793a\u30bd \u2460"),
        ("euc-kr", "cp949", "\ub620\ubc29\uac01\ud558"),
        ("big5", "big5hkscs", "\u529f\u8a31\u84cb"),
        ("johab", "johab", "\ud55c\uae00"),
        ("mac", "mac-roman", "\u00e9t\u00e9"),
        ("cp720", "cp720", "\u0628\u0637"),
        ("utf-16be", "utf-16-be", "\u0a0d\u0d0a \U0001f600"),
    ],
)
async def test_file_in_another_encoding_is_imported(import_file, option, codec, title):
    """Titles may have bytes of line ends, delimiters and quotes within their characters."""
    file = f'"title"|status\r\n{title}|pending\r\n"{title}, ""x"" | y"|\r\nlast|\r\n'
    done, titles = await import_file(file.encode(codec), encoding=option)
    assert (done.rows_failed, titles) == (0, [title, f'{title}, "x" | y', "last"])


async def test_errors_csv_of_a_wide_file_has_all_cells(system, import_file):
    """The worker sends unused cells as text only, and rejected rows still have them as in the file."""
    names = ["a", "title", *(f"column {number}" for number in range(296)), "priority", "z"]
    filling = ['two "words"', "line\r\nbreak", "x,y", ""] * 74
    rows = [
        ["good", "first", *filling, "high", "z"],
        ["=1", "", *filling, "urgently", "z"],
        ["nul\0", "short", *filling[:9]],
        ["surplus", "t", *filling, "low", "z", "1", "2"],
        ["good", "second"],
        ["undecodable", "t", "\udcff", *filling[1:], "low", "\udcff"],
        ["undecodable title", "\udcff"],
    ]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([names, *rows])
    done, titles = await import_file(text.getvalue().encode(errors="surrogateescape"))
    assert (titles, done.rows_failed) == (["first", "short", "second"], 4)
    sonu = await system.login("sonu@example.com")
    request = import_service_pb2.ListImportErrorsRequest(import_id=done.id)
    errors = (await system.imports.ListImportErrors(request, metadata=sonu.metadata)).errors
    found = [(error.record, error.column, error.value, error.code) for error in errors]
    assert found == [
        (2, "title", "", "BLANK_TITLE"),
        (2, "priority", "urgently", "UNKNOWN_PRIORITY"),
        (4, "", "", "TOO_MANY_CELLS"),
        (6, "", "", "UNDECODABLE_BYTES"),
        (6, "", "", "UNDECODABLE_BYTES"),
        (7, "title", "\ufffd", "UNDECODABLE_BYTES"),
    ]
    download = import_service_pb2.DownloadImportErrorsRequest(import_id=done.id)
    parts = [part.data async for part in system.imports.DownloadImportErrors(download, metadata=sonu.metadata)]
    header, *rejected = csv.reader(io.StringIO(b"".join(parts).decode(), newline=""))
    assert header == [*names, "import_errors"]
    assert [row[: len(names)] for row in rejected] == [
        ["'=1", *rows[1][1:]],
        rows[3][:300],
        ["undecodable", "t", "\ufffd", *filling[1:], "low", "\ufffd"],
        ["undecodable title", "\ufffd", *[""] * 298],
    ]
    assert [row[len(names) + 1 :] for row in rejected] == [[], ["1,2"], [], []]
