"""The inspection that `taskmanager import` shows before it asks."""

import re
import shlex
from pathlib import Path

import pytest

from tests.support.cli_program import Program


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tasks.csv"


def test_solved_problems_are_not_shown(program: Program, file: Path):
    """Problems that the proposed options solve are left out; the options are shown instead."""
    file.write_text("Exported by a tool\n\nTitle,Due,State\nBuy milk,25/12/2026,done\nFly,03/04/2026,no\n,,\n")
    shown = program("import", str(file), "--dry-run").stderr
    assert "header_row=3, date_order=dmy" in shown or "date_order=dmy, header_row=3" in shown, shown
    for solved in ("No column fills", "can be 2026-03-04", "'done'"):
        assert solved not in shown
    assert "Unknown status 'no'" in shown


@pytest.mark.parametrize(("encoding", "option"), [("utf-16-le", "encoding=utf-16-le"), ("cp1252", "encoding=cp1252")])
def test_proposed_encoding_is_no_problem(program: Program, file: Path, encoding: str, option: str):
    file.write_bytes("title,labels\nCafé,home\nThé,home\n".encode(encoding))
    shown = program("import", str(file), "--dry-run").stderr
    assert (option in shown, "Problems" in shown) == (True, False), shown


def test_file_without_title_is_not_offered(program: Program, file: Path):
    """A file whose header line has no title is refused once, without a question, with an option that fits."""
    file.write_text("due,My heading,gamma\n,2,3\n")
    ended = program.in_terminal("import", str(file))
    assert (ended.exit_code, "Import the file like this?" in ended.output) == (1, False), ended.output
    assert ended.output.count("No column fills the title") == 1, ended.output
    assert "no column names" not in ended.output
    assert "--option 'mapping=title:My heading'" in ended.output
    assert program.json("import", str(file), "--yes", "--option", "mapping=title:My heading")["rows_created"] == 1


def test_title_above_the_columns_asks_for_their_line(program: Program, file: Path):
    """The names of the columns are unknown words, so the inspection does not find their line."""
    file.write_text("Meine Liste;;\n\nAufgabe;Stand;\nFenster putzen;;x\n")
    refused = program("import", str(file), "--yes")
    assert "Repeat the command with `--option header_row=LINE`." in refused.stderr, refused.stderr
    repeated = program("import", str(file), "--yes", "-o", "header_row=3", "-o", "mapping=title:Aufgabe")
    assert repeated.returncode == 0, repeated.stderr
    assert "Not imported: Stand, #3\n" in repeated.stderr, repeated.stderr


def test_long_texts_are_cut_visibly(program: Program, file: Path):
    """Long cells end in an ellipsis, and long lists of columns are wrapped between words."""
    others = [f"Another column {number}" for number in range(8)]
    file.write_text(f"title,due,{','.join(others)}\n{'a' * 100},{'b' * 600}\n")
    program.environment["COLUMNS"] = "80"
    shown = program.in_terminal("import", str(file), "--yes").output
    assert f"{'a' * 59}…" in shown
    assert f"{'b' * 19}…" in shown
    listed = shown[shown.index("Not imported: ") :].split("Problems")[0].split("First")[0]
    assert max(map(len, listed.splitlines())) <= 80
    assert " ".join(listed.split()).startswith(f"Not imported: {', '.join(others)}")
    assert "│ 2    │ due_date │ bbb" in shown[shown.index("Rejected rows") :]


def test_unknown_assignees_are_named(program: Program, file: Path):
    """The texts of an assignee column are shown before the import; unused columns are not named twice."""
    file.write_text("title,assignee,Colour\nFly,Ann Lee,red\nWalk,Bob,blue\n")
    ended = program("import", str(file), "--yes")
    assert "Assignees in the file: Ann Lee, Bob" in ended.stderr, ended.stderr
    assert "1 row has" not in ended.stdout
    assert "2 rows have an unknown assignee" in ended.stdout, ended.stdout
    assert (ended.stderr.count("Colour"), "Colour" in ended.stdout) == (1, False)
    (found,) = program.json("imports", "list")
    assert "The column 'Colour' is not used" in program("imports", "show", found["id"]).stdout


def test_line_breaks_of_cells_are_shown(program: Program, file: Path):
    """Line breaks of Windows and tabs in a cell are white space, not characters that can't be shown."""
    file.write_bytes(b'title,description\r\nFly,"more\r\nthan one\tline"\r\n')
    shown = program("import", str(file), "--dry-run").stderr
    assert ("<U+" in shown, "than one line" in shown, "more  " in shown) == (False, True, True), shown


def test_further_columns_can_be_mapped(program: Program, file: Path):
    """If an option maps columns, unused ones have an option that maps one of them, too, and keeps those."""
    file.write_text("Aufgabe,Bis,Wer\nFly,2026-12-31,-\n")
    title = ["--option", "mapping=title:Aufgabe"]
    shown = program("import", str(file), "--dry-run", *title).stderr
    assert "`--option mapping=title:Aufgabe,due_date:COLUMN`" in shown, shown
    shown = program("import", str(file), "--dry-run", "--option", "mapping=title:Aufgabe,due_date:Bis").stderr
    assert "`--option mapping=title:Aufgabe,due_date:Bis,status:COLUMN`" in shown, shown
    file.write_text("My title,Wer\nFly,-\n")
    shown = program("import", str(file), "--dry-run", "--option", 'mapping={"My title": "title"}').stderr
    assert "`--option 'mapping=title:My title,due_date:COLUMN'`" in shown, shown
    file.write_text("title,Wer\nFly,-\n")
    assert "COLUMN" not in program("import", str(file), "--dry-run").stderr


def test_unknown_values_have_a_ready_option(program: Program, file: Path):
    """The option below the table of unknown values can be typed, and keeps the values that are mapped already."""
    file.write_text("title,status,priority\nFly,It's,1\nWalk,Ok,high\nRun,Done,9\n")
    shown = program(
        "import", str(file), "--dry-run", "--option", 'value_mapping={"status": {"Ok": "completed"}}'
    ).stderr
    option = re.search(r"`(--option .*value_mapping=.*)`", shown)
    assert option, shown
    found = program.json("import", str(file), "--dry-run", *shlex.split(option[1]))
    assert (found["rows_created"], found["rows_failed"]) == (3, 0)
    file.write_text("title,status\nFly,Done\n")
    assert "value_mapping=" not in program("import", str(file), "--dry-run").stderr
