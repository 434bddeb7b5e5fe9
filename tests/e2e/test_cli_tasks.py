"""Tasks and their events in the command-line client, against the whole system."""

import csv
import json
import re
from pathlib import Path

from tests.support.cli_program import Program
from tests.support.stack import LocalStack


def test_tasks(program: Program):
    """Add, list with filters, edit, complete, delete and restore tasks."""
    added = program.json("tasks", "add", "Buy milk", "--label", "home", "--due", "2026-12-24", "--assignee", "me")
    assert (added["title"], added["labels"], added["due_date"]) == ("Buy milk", ["home"], "2026-12-24")
    other = program.json("tasks", "add", "Call [bold]mum[/bold]", "--priority", "high")
    assert [task["id"] for task in program.json("tasks", "list", "--priority", "high")] == [other["id"]]
    assert [task["id"] for task in program.json("tasks", "list", "--label", "home", "--assignee", "me")] == [
        added["id"]
    ]
    listed = program("tasks", "list").stdout
    assert "Call [bold]mum[/bold]" in listed
    assert added["id"] in listed
    edited = program.json("tasks", "edit", added["id"], "--due", "", "--label", "", "--title", "Buy oat milk")
    assert (edited["title"], edited["labels"], edited["due_date"]) == ("Buy oat milk", [], "")
    assert [task["status"] for task in program.json("tasks", "done", added["id"], other["id"])] == ["completed"] * 2
    assert program("tasks", "rm", other["id"]).returncode == 0
    assert [task["id"] for task in program.json("tasks", "list", "--deleted")] == [other["id"]]
    assert program("tasks", "restore", other["id"]).returncode == 0
    assert len(program.json("tasks", "list")) == 2


def test_events_are_followed(program: Program):
    """A change appears in a terminal that follows, and its cursor continues after it."""
    with program.terminal("events", "--follow", "--json") as terminal:
        terminal.wait_for('"event": null')
        task = program.json("tasks", "add", "Buy milk")
        terminal.wait_for(task["id"])
        terminal.interrupt()
        ended = terminal.wait()
    assert (ended.exit_code, "Traceback" in ended.output) == (130, False), ended.output
    line = next(line for line in ended.output.splitlines() if task["id"] in line)
    program("tasks", "done", task["id"])
    with program.terminal("events", "--follow", "--cursor", json.loads(line)["cursor"]) as terminal:
        terminal.wait_for("status: pending -> completed")
        assert "created" not in terminal.output
    actions = [event["action"] for event in program.json("events", "--task", task["id"])]
    assert actions == ["created", "updated"]


def test_events_of_all_tasks_are_listed(stack: LocalStack, program: Program):
    """The newest changes of the user's tasks, oldest first; a task that was taken away shows no values."""
    for title in ("a", "b"):
        program.json("tasks", "add", title)
    owner = stack.api.new_user()
    assigned = {"title": "theirs", "assignee_id": program.json("whoami")["user"]["id"]}
    task = owner.http.post("/api/v1/tasks", json=assigned).json()
    owner.http.patch(f"/api/v1/tasks/{task['id']}", json={"assignee_id": None, "title": "secret"})
    found = program.json("events")
    assert [event["revision"] for event in found] == [1, 1, 1, 2]
    assert [event["access_change"] for event in found] == [None, None, None, "lost"]
    assert program.json("events", "--limit", "3") == found[1:]
    printed = program("events", "--limit", "0").stdout
    assert ("you lost access" in printed, "secret" in printed, len(printed.splitlines())) == (True, False, 4)


def test_export(program: Program, tmp_path: Path):
    """An export is a CSV file, on stdout or in a file, and a refused one leaves no file."""
    program.json("tasks", "add", "Buy milk")
    assert [row["title"] for row in csv.DictReader(program("tasks", "export").stdout.splitlines())] == ["Buy milk"]
    file = tmp_path / "out" / "tasks.csv"
    file.parent.mkdir()
    assert program.json("tasks", "export", str(file))["bytes"] == file.stat().st_size
    assert program("tasks", "export", str(file.with_name("no.csv")), "--delimiter", "x").returncode == 1
    assert list(file.parent.iterdir()) == [file]


def test_terminal_escapes_are_not_printed(program: Program):
    """A title can't send control sequences to the terminal of another user."""
    task = program.json("tasks", "add", "a\x9b31mb")
    assert "\x9b" not in program("tasks", "list").stdout
    assert "\x9b" not in program("tasks", "done", task["id"]).stderr


def test_narrow_terminal_shows_whole_values(program: Program):
    """A table that does not fit becomes fields below each other, and an id stays whole."""
    task = program.json("tasks", "add", "Water the plants", "--label", "home")
    program.environment["COLUMNS"] = "40"
    ended = program.in_terminal("tasks", "list")
    assert f"{task['id']}\n" in ended.output
    assert "Water the plants\n" in ended.output


def test_deleting_twice_is_no_error(program: Program):
    """A task that is deleted already is reported as such, one that never existed as an error."""
    task_id = program.json("tasks", "add", "Fly")["id"]
    assert f"Deleted {task_id}" in program("tasks", "rm", task_id).stderr
    again = program("tasks", "rm", task_id)
    assert (again.returncode, f"Already deleted: {task_id}" in again.stderr) == (0, True), again.stderr
    assert program("tasks", "rm", "01a225b0-d02d-7340-8e22-83cd6662c7d8").returncode == 1


def test_events_show_values_and_time_zone(program: Program):
    """Values of a new task are no changes, and times name their zone."""
    task = program.json("tasks", "add", "Buy milk")
    program.json("tasks", "edit", task["id"], "--title", "Buy bread", "--due", "2026-12-31")
    created, updated = program("events", "--task", task["id"]).stdout.splitlines()
    assert "created  title = Buy milk, status = pending" in created
    assert "title: Buy milk -> Buy bread, due_date: - -> 2026-12-31" in updated
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  ", created), created
