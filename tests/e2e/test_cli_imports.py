"""Imports that the command line shows: paused, empty, undone, and while the server accepts no writes."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.support.cli_program import Program
from tests.support.stack import LocalStack
from tests.support.waiting import until


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
        assert "created (UTC)" in program("imports", "list").stdout
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


def test_read_only_server_is_reachable(stack: LocalStack, program: Program):
    """While the server accepts no writes, its reason is the message, and the server's logs are not mentioned."""
    with switched_on(stack, "read_only"):
        ended = program("tasks", "add", "Fly")
    assert ended.returncode == 1, ended.stderr
    assert "Maintenance." in ended.stderr.splitlines()[0]
    assert (ended.stderr.count("Error:"), "logs" in ended.stderr) == (1, False), ended.stderr
