"""The command-line client as a process, against the whole system."""

import csv
import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_program import Program
from tests.support.stack import LocalStack
from tests.support.users import PASSWORD

FILES = sorted((Path(__file__).parents[1] / "cases" / "csv").glob("*.csv"))


def session_file(program: Program) -> dict[str, Any]:
    (text,) = json.loads((program.folder / "sessions.json").read_text()).values()
    return json.loads(text)


def test_login_asks_in_a_terminal(stack: LocalStack, anonymous: Program):
    """`login` asks for email and password, never shows the password, and `logout` ends the session."""
    email = stack.api.new_user().http.get("/api/v1/me").json()["email"]
    with anonymous.terminal("login") as terminal:
        terminal.wait_for("Email")
        terminal.type(f"{email}\n")
        terminal.wait_for("Password: ")
        terminal.type(f"{PASSWORD}\n")
        ended = terminal.wait()
    assert ended.exit_code == 0, ended.output
    assert PASSWORD not in ended.output
    assert anonymous.json("whoami")["user"]["email"] == email
    assert anonymous("logout").returncode == 0
    refused = anonymous("whoami")
    assert (refused.returncode, f"taskmanager --url {stack.url} login" in refused.stderr) == (3, True)


def test_session_file_is_private(program: Program):
    """Without a keyring, the session is in a file that only the user can read."""
    mode = (program.folder / "sessions.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE(program.folder.stat().st_mode) == 0o700


def test_keyring_holds_the_session(stack: LocalStack, anonymous: Program, tmp_path: Path):
    """With a keyring that works, no file has the session."""
    anonymous.environment |= {
        "PYTHON_KEYRING_BACKEND": "tests.support.json_keyring.JsonKeyring",
        "TEST_KEYRING_FILE": str(tmp_path / "keyring.json"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    email = stack.api.new_user().http.get("/api/v1/me").json()["email"]
    assert anonymous("login", "--email", email, "--password-stdin", stdin=PASSWORD).returncode == 0
    assert anonymous.json("whoami")["user"]["email"] == email
    assert not (anonymous.folder / "sessions.json").exists()
    assert anonymous("logout").returncode == 0
    assert json.loads((tmp_path / "keyring.json").read_text()) == {}


def expire(program: Program) -> None:
    """Make the stored access token look expired."""
    path = program.folder / "sessions.json"
    sessions = {
        url: json.dumps(json.loads(text) | {"expires_at": 0}) for url, text in json.loads(path.read_text()).items()
    }
    path.write_text(json.dumps(sessions))


def test_concurrent_programs_share_a_session(program: Program):
    """Programs that find the access token expired at the same time send the refresh token once."""
    before = session_file(program)
    expire(program)
    with ThreadPoolExecutor(4) as threads:
        ended = list(threads.map(lambda _: program("whoami"), range(4)))
    assert [each.returncode for each in ended] == [0] * 4, [each.stderr for each in ended]
    after = session_file(program)
    assert after["refresh_token"] != before["refresh_token"]
    assert program("whoami").returncode == 0


def test_ended_session_asks_to_log_in(program: Program):
    """When the server has ended the session, the client forgets it and says so."""
    path = program.folder / "sessions.json"
    saved = path.read_text()
    assert program("logout").returncode == 0
    path.write_text(saved)
    expire(program)
    ended = program("tasks", "list")
    assert (ended.returncode, "Log in again" in ended.stderr) == (3, True)
    assert json.loads(path.read_text()) == {}


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


@pytest.mark.parametrize(
    ("arguments", "exit_code", "advice"),
    [
        (["tasks", "add", " "], 1, "A task needs a title."),
        (["tasks", "add", " ", "--due", "soon"], 1, "due_date: A date must be"),
        (["tasks", "show", "01a225b0-d02d-7340-8e22-83cd6662c7d8"], 1, "Error: No such task."),
        (["tasks", "list", "--assignee", "nobody-at-all"], 1, "No user has the name"),
        (["tasks", "edit", "01a225b0-d02d-7340-8e22-83cd6662c7d8"], 2, "Name a field to change"),
        (["tasks", "list", "--status", "someday"], 2, "someday"),
        (["import"], 2, "Name a FILE"),
        (["import", "/nowhere.csv"], 2, "does not exist"),
        (["import", __file__, "--option", "mapping"], 2, "NAME=VALUE"),
        (["import", str(FILES[0])], 2, "Add --yes"),
        (["import", str(FILES[0]), "--yes", "--option", "colour=red"], 1, "colour"),
        (["import", str(FILES[0]), "--yes", "--option", "colour=red"], 1, "{url}/docs"),
        (["import", str(FILES[0]), "--undo", "01a225b0-d02d-7340-8e22-83cd6662c7d8"], 2, "not both"),
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


def test_dry_run_writes_no_task(program: Program):
    found = program.json("import", str(FILES[0]), "--dry-run")
    assert (found["validate_only"], found["state"]) == (True, "succeeded")
    assert found["rows_created"] > 0
    assert program.json("tasks", "list") == []


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


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_files_of_other_tools_are_imported(program: Program, file: Path):
    """Every file of another tool comes in from a terminal, without a traceback, and creates tasks."""
    ended = program.in_terminal("import", str(file), "--yes")
    assert ended.exit_code == 0, ended.output
    assert re.search(r"rows created +[1-9]", ended.output), ended.output


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


def test_events_show_values_and_time_zone(program: Program):
    """Values of a new task are no changes, and times name their zone."""
    task = program.json("tasks", "add", "Buy milk")
    program.json("tasks", "edit", task["id"], "--title", "Buy bread", "--due", "2026-12-31")
    created, updated = program("events", "--task", task["id"]).stdout.splitlines()
    assert "created  title = Buy milk, status = pending" in created
    assert "title: Buy milk -> Buy bread, due_date: - -> 2026-12-31" in updated
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  ", created), created
