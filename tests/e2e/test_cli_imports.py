"""Imports in the command-line client: their steps and undo, files of other tools, a server that accepts no writes."""

import asyncio
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.support.cli_program import Program
from tests.support.stack import LocalStack
from tests.support.waiting import until

FILES = sorted((Path(__file__).parents[1] / "cases" / "csv").glob("*.csv"))


def test_import_asks_and_shows_its_steps(program: Program, tmp_path: Path):
    """The mapping is shown, a no imports nothing, a yes imports, a repetition and an undo are explained."""
    file = tmp_path / "tasks.csv"
    file.write_text("Summary,State,Due,Colour\nCall mum,Done,,red\nFly,Waiting,never,blue\n")
    with program.terminal("import", str(file)) as terminal:
        terminal.wait_for("Import the file like this?")
        terminal.type("n\n")
        ended = terminal.wait()
    assert (ended.exit_code, program.json("imports", "list")) == (0, []), ended.output
    for text in ("Summary", "title", "Colour", "Waiting", "Nothing was imported"):
        assert text in ended.output

    errors = tmp_path / "errors.csv"
    with program.terminal("import", str(file), "--errors", str(errors)) as terminal:
        terminal.wait_for("Import the file like this?")
        terminal.type("y\n")
        ended = terminal.wait()
    assert ended.exit_code == 0, ended.output
    assert "Unreadable date 'never'" in ended.output
    assert "Fly" in errors.read_text()
    (found,) = program.json("imports", "list")
    assert (found["rows_created"], found["rows_failed"]) == (1, 1)

    again = program("import", str(file), "--yes")
    assert (again.returncode, f"taskmanager import --undo {found['id']}" in again.stderr) == (1, True)
    assert program.json("import", "--undo", found["id"])["undo"]["deleted"] == 1
    assert program.json("tasks", "list") == []
    assert program.json("import", str(file), "--yes", "--option", "on_unknown_date=empty")["rows_created"] == 2


@pytest.mark.parametrize(
    ("encoding", "delimiter", "beginning"),
    [
        ("utf-8-sig", ";", b"\xef\xbb\xbftitle;due;"),
        ("utf-8", "\t", b"title\tdue\t"),
        ("utf-16", ",", b"\xef\xbb\xbftitle,due,"),
        ("utf-8", ",", b"title,due,"),
    ],
)
def test_rejected_rows_have_the_format_of_the_file(
    program: Program, file: Path, encoding: str, delimiter: str, beginning: bytes
):
    """The rejected rows have the delimiter of the imported file, and a byte order mark if it has one."""
    file.write_text(f"title{delimiter}due\nFly{delimiter}never\n", encoding=encoding)
    errors = file.with_name("errors.csv")
    assert program("import", str(file), "--dry-run", "--errors", str(errors)).returncode == 0
    assert errors.read_bytes().startswith(beginning)
    ended = program("import", str(file), "--dry-run")
    command = re.search(r"taskmanager (imports errors \S+ )\S+(.*?)`", ended.stderr)
    assert command, ended.stderr
    saved = file.with_name("saved.csv")
    assert program(*shlex.split(f"{command[1]} {saved} {command[2]}")).returncode == 0
    assert saved.read_bytes() == errors.read_bytes()


def test_dry_run_writes_no_task(program: Program):
    found = program.json("import", str(FILES[0]), "--dry-run")
    assert (found["validate_only"], found["state"]) == (True, "succeeded")
    assert found["rows_created"] > 0
    assert program.json("tasks", "list") == []


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("cat {file} | {program} import - --yes", "stdin.csv"),
        ("cat {file} | {program} import /dev/stdin --yes", "stdin.csv"),
        ("{program} import <(cat {file}) --yes", "stdin.csv"),
        ("mkfifo {file}.p.csv; cat {file} > {file}.p.csv & {program} import {file}.p.csv --yes", "tasks.csv.p.csv"),
        ("cat {file} | {program} import -", ""),
    ],
)
def test_pipe_is_imported(program: Program, file: Path, command: str, name: str):
    """A pipe, which can be read only once, is imported like a file. A question needs a terminal on stdin."""
    script = command.format(file=file, program=" ".join(program.command))
    ended = subprocess.run(
        ["bash", "-c", script], env=program.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == (0 if name else 2), ended.stderr
    assert ("Add --yes" in ended.stderr) == (not name), ended.stderr
    found = program.json("imports", "list")
    assert [(each["file_name"], each["rows_created"]) for each in found] == ([(name, 1)] if name else [])


def test_interrupted_import_can_be_watched(program: Program, tmp_path: Path):
    """Ctrl-C during an import prints its id, and `imports watch` follows it to the end."""
    file = tmp_path / "long.csv"
    file.write_text("title\n" + "".join(f"Task {number}\n" for number in range(30_000)))
    with program.terminal("import", str(file), "--yes") as terminal:
        terminal.wait_for("runs at the server")
        terminal.interrupt()
        ended = terminal.wait()
    assert ended.exit_code == 130, ended.output
    assert "Traceback" not in ended.output
    match = re.search(r"taskmanager imports watch ([0-9a-f-]{36})", ended.output)
    assert match, ended.output
    watched = program.in_terminal("imports", "watch", match[1])
    assert (watched.exit_code, "30,000" in watched.output) == (0, True), watched.output


@pytest.mark.parametrize("case", FILES, ids=lambda case: case.stem)
def test_files_of_other_tools_are_imported(program: Program, case: Path):
    """Every file of another tool comes in from a terminal, without a traceback, and creates tasks."""
    ended = program.in_terminal("import", str(case), "--yes")
    assert ended.exit_code == 0, ended.output
    assert re.search(r"rows created +[1-9]", ended.output), ended.output


@contextmanager
def switched_on(stack: LocalStack, name: str) -> Iterator[None]:
    """Turn an operator's switch of task_service on, and off at the end. The service polls the table."""
    command = "INSERT INTO tasks.operator_switches (name, reason, since) VALUES (%s, 'Maintenance.', now()) RETURNING 1"
    stack.sql(command, name)
    try:
        asyncio.run(until(lambda: is_on(stack, name)))
        yield
    finally:
        stack.sql("DELETE FROM tasks.operator_switches WHERE name = %s RETURNING 1", name)
        asyncio.run(until(lambda: not is_on(stack, name)))


def is_on(stack: LocalStack, name: str) -> bool:
    status = httpx.get(f"{stack.endpoints['probes']['task_service']}/statusz").json()
    return any(switch["on"] for switch in status["switches"] if switch["name"] == name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.csv"
    path.write_text("title\nFly\n")
    return path


def test_paused_import_says_why_it_waits(stack: LocalStack, program: Program, file: Path):
    """A paused import names the operator, and its header line alone is no progress."""
    with switched_on(stack, "imports_paused"):
        with program.terminal("import", str(file), "--yes") as terminal:
            terminal.wait_for("Waits for operator")
            terminal.interrupt()
            shown = terminal.wait().output
        assert "0%" in shown[shown.index("Waits for operator") :], shown
        assert "0 rows" in shown
        (found,) = program.json("imports", "list")
        assert "waits for     operator" in program("imports", "show", found["id"]).stdout
        listed = program("imports", "list").stdout
        assert ("created (UTC)" in listed, "queued (waits for operator)" in listed) == (True, True), listed
        command = [*program.command, "imports", "watch", found["id"]]
        output = file.with_name("stderr")
        with output.open("w") as stderr:
            piped = subprocess.Popen(command, env=program.environment, stdout=subprocess.DEVNULL, stderr=stderr)
        asyncio.run(until(lambda: "waits for operator" in output.read_text()))
    assert (piped.wait(60), output.read_text().count("waits for")) == (0, 1)
    watched = program.in_terminal("imports", "watch", found["id"]).output
    assert "waits for" not in watched.splitlines()[-1]
    assert "rows created  1" in watched


def test_import_without_tasks_shows_counts(program: Program, file: Path):
    """A file without rows has a warning, and a count of 0 is shown."""
    file.write_text("title,due\n")
    shown = program("import", str(file), "--yes").stdout
    assert ("rows created  0" in shown, "The file has no rows." in shown) == (True, True), shown
    file.write_text("title,due\nFly,never\n")
    shown = program("import", str(file), "--yes").stdout
    assert ("rows created  0" in shown, "The file has no rows." in shown) == (True, False), shown


def test_undo_shows_its_own_progress(program: Program, file: Path):
    """The display of an undo speaks of the undo and not of the rows of the import, and counts one task."""
    shown = program.in_terminal("import", str(file), "--yes").output
    assert ("1 row" in shown, "1 rows" in shown) == (True, False), shown
    (found,) = program.json("imports", "list")
    shown = program.in_terminal("import", "--undo", found["id"]).output
    progress, result = shown.split("file", 1)
    assert f"Undo of import {found['id']} runs at the server" in progress
    assert " row" not in progress, progress
    assert "1 task deleted, 0 restored" in result, result


def test_second_undo_says_that_it_changes_nothing(program: Program, file: Path):
    """The result of the first undo is shown again, under the time of the first one."""
    program.json("import", str(file), "--yes")
    (found,) = program.json("imports", "list")
    first = program.json("import", "--undo", found["id"])
    second = program("import", "--undo", found["id"])
    assert second.returncode == 0, second.stderr
    time = first["undo"]["finished_at"][:16].replace("T", " ")
    assert second.stderr == f"The import was taken back before, at {time} UTC. Nothing was changed now.\n"
    assert "1 task deleted, 0 restored" in second.stdout, second.stdout


def test_read_only_server_is_reachable(stack: LocalStack, program: Program):
    """While the server accepts no writes, its reason is the message, and the server's logs are not mentioned."""
    with switched_on(stack, "read_only"):
        ended = program("tasks", "add", "Fly")
    assert ended.returncode == 1, ended.stderr
    assert "Maintenance." in ended.stderr.splitlines()[0]
    assert (ended.stderr.count("Error:"), "logs" in ended.stderr) == (1, False), ended.stderr
