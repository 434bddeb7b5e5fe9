"""Usage of the command-line client: mistakes, questions, help and completion."""

import re
from pathlib import Path

import pytest

from tests.support.cli_program import Program
from tests.support.stack import LocalStack

FILE = str(Path(__file__).parents[1] / "cases" / "csv" / "asana_export.csv")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "advice"),
    [
        (["tasks", "add", " "], 1, "A task needs a title."),
        (["tasks", "add", " ", "--due", "soon"], 2, "'--due': 'soon' is not a day such as 2026-12-31."),
        (["tasks", "list", "--due-before", "soon"], 2, "'--due-before': 'soon' is not a day"),
        (["tasks", "export", "--due-after", "20261231"], 2, "'--due-after': '20261231' is not a day"),
        (
            ["tasks", "edit", "01a225b0-d02d-7340-8e22-83cd6662c7d8", "--due", "2026-02-30"],
            2,
            "'2026-02-30' is not a day",
        ),
        (["tasks", "add", " ", "--label", "a" * 500], 1, "title: A task needs a title."),
        (["tasks", "add", "x", "--assignee", "a@b.c"], 1, "an email does not work here"),
        (["login", "--email", "a@example.com", "--password-stdin"], 2, "--password-stdin: The password is empty."),
        (["tasks", "show", "01a225b0-d02d-7340-8e22-83cd6662c7d8"], 1, "Error: No such task."),
        (["tasks", "list", "--assignee", "nobody-at-all"], 1, "No user has the name"),
        (["tasks", "edit", "01a225b0-d02d-7340-8e22-83cd6662c7d8"], 2, "Name a field to change"),
        (["tasks", "list", "--status", "someday"], 2, "someday"),
        (["import"], 2, "Name a FILE"),
        (["import", "/nowhere.csv"], 2, "does not exist"),
        (["import", __file__, "--option", "mapping"], 2, "NAME=VALUE"),
        (["import", FILE], 2, "Add --yes"),
        (["import", FILE, "--yes", "--option", "colour=red"], 1, "colour"),
        (["import", FILE, "--yes", "--option", "colour=red"], 1, "{url}/docs"),
        (["import", FILE, "--undo", "01a225b0-d02d-7340-8e22-83cd6662c7d8"], 2, "not both"),
        (["--url", "http://localhost:1", "whoami"], 3, "`taskmanager --url http://localhost:1 login`"),
        (["whoami", "--url", "http://localhost:1"], 2, "taskmanager --url URL COMMAND"),
        (["login", "--url", "http://localhost:1"], 2, "taskmanager --url URL COMMAND"),
        (["tasks", "add", "x", "--priority", "hoch"], 2, "'--priority' / '-p': 'hoch' is not one of"),
        (["tasks", "show", "Buy bread"], 2, "'Buy bread' is not an id"),
        (["tasks", "list", "--import", "nope"], 2, "'nope' is not an id"),
        (["events", "--task", "nope"], 2, "'nope' is not an id"),
        (["import", "--undo", "nope"], 2, "'nope' is not an id"),
        (["--url", "ftp://x", "whoami"], 2, "is not an address"),
        (["tasks", "show", ""], 2, "is not an id"),
        (["tasks", "rm", "x/../../me"], 2, "is not an id"),
        (["import", "--undo", "a/b"], 2, "is not an id"),
        (["events", "--cursor", "x"], 2, "--follow"),
        (["events", "--follow", "--cursor", "x"], 1, "cursor"),
        (["login", "--email", "a@example.com"], 2, "--password-stdin"),
    ],
)
def test_mistakes_are_explained(stack: LocalStack, program: Program, arguments: list[str], exit_code: int, advice: str):
    """A mistake has its exit code and a message with the way out, and nothing on stdout."""
    ended = program(*arguments)
    assert (ended.returncode, ended.stdout) == (exit_code, ""), ended.stderr
    assert advice.format(url=stack.url) in " ".join(re.sub(r"[│╭╮╰╯─]", " ", ended.stderr).split())


def test_unreachable_server_is_named(anonymous: Program):
    ended = anonymous("--url", "http://localhost:1", "login", "--email", "a@b.c", "--password-stdin", stdin="x\n")
    assert (ended.returncode, "http://localhost:1 does not respond" in ended.stderr) == (4, True)


def test_shell_completes_commands(anonymous: Program):
    anonymous.environment |= {
        "_TASKMANAGER_COMPLETE": "complete_bash",
        "COMP_WORDS": "taskmanager im",
        "COMP_CWORD": "1",
    }
    assert anonymous().stdout.split() == ["import", "imports"]


@pytest.mark.parametrize("command", [["login"], ["import"], ["tasks", "list"], []])
def test_help_shows_no_type_of_flags(anonymous: Program, command: list[str]):
    shown = anonymous(*command, "--help").stdout
    assert ("--help" in shown, "<bool>" in shown) == (True, False), shown


def test_questions_end_on_their_own_line(program: Program, anonymous: Program, tmp_path: Path):
    """Ctrl-C at a question begins a new line, and an answer that is neither yes nor no asks again."""
    with anonymous.terminal("login") as terminal:
        terminal.wait_for("Email: ")
        terminal.interrupt()
        ended = terminal.wait()
    assert ended.output.splitlines()[-1] == "Interrupted.", ended.output
    file = tmp_path / "tasks.csv"
    file.write_text("title\nFly\n")
    with program.terminal("import", str(file)) as terminal:
        terminal.wait_for("Import the file like this? [Y/n]")
        terminal.type("maybe\n")
        terminal.wait_for("Answer y or n.")
        terminal.type("\n")
        ended = terminal.wait()
    assert "rows created" in ended.output, ended.output
