"""Personal access tokens in the command-line client, against the whole system."""

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from taskmanager_cli.commands.tokens import Scope

from auth_service.domain.personal_tokens import TokenScope
from tests.support.cli_program import Program
from tests.support.waiting import wait_until

TOKEN = re.compile(r"tm_[0-9A-Za-z]{49}")


def create(program: Program, *scopes: str) -> str:
    """Create a token as a script does, and return it."""
    created = program("token", "create", "script", *(f"--scope={scope}" for scope in scopes))
    assert created.returncode == 0, created.stderr
    return created.stdout.removesuffix("\n")


def with_token(program: Program, token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program.environment["TASKMANAGER_TOKEN"] = token
    ended = program(*arguments)
    del program.environment["TASKMANAGER_TOKEN"]
    return ended


def files_with(program: Program, secret: str) -> list[str]:
    return [path.name for path in program.folder.iterdir() if secret in path.read_text()]


def test_created_token_is_alone_on_stdout(program: Program):
    """A script captures the token. It is in no message, no file and no later output."""
    created = program("token", "create", "nightly report", "--scope", "tasks:read", "--expires", "30d")
    token = created.stdout.removesuffix("\n")
    assert TOKEN.fullmatch(token), created.stderr
    assert token not in created.stderr
    assert "not shown again" in created.stderr
    assert files_with(program, token) == []
    (listed,) = program.json("token", "list")
    assert (listed["name"], listed["scopes"]) == ("nightly report", ["tasks:read"])
    remaining = datetime.fromisoformat(listed["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < remaining <= timedelta(days=30)
    assert listed["id"] in program("token", "list").stdout


def test_token_expires_after_its_last_day(program: Program):
    day = (datetime.now(UTC) + timedelta(days=10)).date()
    created = program.json("token", "create", "x", "--scope", "tasks:read", "--expires", day.isoformat())
    assert TOKEN.fullmatch(created["token"])
    assert created["expires_at"].startswith((day + timedelta(days=1)).isoformat() + "T00:00:00")


def test_token_is_revoked_by_name_or_id(program: Program):
    """A name that several tokens have needs an id."""
    create(program, "tasks:read")
    create(program, "tasks:read")
    ambiguous = program("token", "revoke", "script")
    first, second = program.json("token", "list")
    assert (ambiguous.returncode, first["id"] in ambiguous.stderr, second["id"] in ambiguous.stderr) == (1, True, True)
    assert program.json("token", "revoke", first["id"])["revoked"]["id"] == first["id"]
    assert program("token", "revoke", "script").returncode == 0
    assert program.json("token", "list") == []
    missing = program("token", "revoke", "script")
    assert (missing.returncode, "taskmanager token list" in missing.stderr) == (1, True)


def test_environment_token_replaces_the_session(program: Program):
    """TASKMANAGER_TOKEN works without a login, and `whoami` says that a token is in use."""
    token = create(program, "tasks:read", "account:read")
    task = program.json("tasks", "add", "Buy milk")
    assert program("logout").returncode == 0
    listed = with_token(program, token, "tasks", "list", "--json")
    assert [each["id"] for each in json.loads(listed.stdout)] == [task["id"]]
    assert "personal access token (TASKMANAGER_TOKEN)" in with_token(program, token, "whoami").stdout
    assert json.loads(with_token(program, token, "whoami", "--json").stdout)["token_source"] == "TASKMANAGER_TOKEN"
    assert files_with(program, token) == []


def test_login_stores_a_token(program: Program):
    """The token comes from stdin or a hidden question; `logout` deletes it here and says how to end it."""
    token = create(program, "account:read")
    ended = program("login", "--token", stdin=f"{token}\n")
    assert (ended.returncode, token in ended.stderr) == (0, False), ended.stderr
    assert program.json("whoami")["token_source"] == "login --token"
    logged_out = program("logout")
    assert (logged_out.returncode, "taskmanager token revoke" in logged_out.stderr) == (0, True)
    assert files_with(program, token) == []
    with program.terminal("login", "--token") as terminal:
        terminal.wait_for("Token: ")
        terminal.type(f"{token}\n")
        asked = terminal.wait()
    assert (asked.exit_code, token in asked.output) == (0, False), asked.output
    assert program.json("whoami")["user"]["email"]


def test_token_argument_is_not_repeated(program: Program):
    """A token among the arguments is refused, and the message does not quote it."""
    token = create(program, "tasks:read")
    for arguments in (["login", "--token", token], ["login", f"--token={token}"], [token], ["token", "revoke", token]):
        ended = program(*arguments)
        assert ended.returncode != 0
        assert token not in ended.stdout + ended.stderr, arguments


def test_missing_scope_is_named(program: Program):
    """A call without its scope names the scope and the command that makes such a token. `whoami` still works."""
    token = create(program, "tasks:read")
    for arguments, scope in ((["tasks", "add", "x"], "tasks:write"), (["imports", "list"], "imports:write")):
        ended = with_token(program, token, *arguments)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert f"taskmanager token create NAME --scope {scope}" in ended.stderr
    assert json.loads(with_token(program, token, "whoami", "--json").stdout)["user"] is None
    create_more = with_token(program, token, "token", "create", "x", "--scope", "tasks:write")
    assert (create_more.returncode, create_more.stdout) == (1, "")
    assert "Unset TASKMANAGER_TOKEN, log in with `taskmanager --url" in create_more.stderr


def test_ended_token_is_explained(program: Program):
    """A revoked, unknown or mistyped token exits with 3 and says how to replace it. `login --token` keeps it out."""
    token = create(program, "tasks:read")
    assert program("token", "revoke", "script").returncode == 0

    def is_refused() -> bool:
        ended = with_token(program, token, "tasks", "list")
        return ended.returncode == 3 and "was revoked" in ended.stderr and "token create" in ended.stderr

    wait_until(is_refused)
    before = program.json("whoami")
    refused = program("login", "--token", stdin=token)
    assert (refused.returncode, "was revoked" in refused.stderr) == (3, True)
    assert program.json("whoami") == before
    for mistyped in (f"tm_{'a' * 49}", "tm_x", "päss wörd"):
        ended = with_token(program, mistyped, "tasks", "list")
        assert (ended.returncode, mistyped in ended.stderr) == (3, False), ended.stderr
        assert "TASKMANAGER_TOKEN" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "advice"),
    [
        (["token", "create", "x"], 2, "--scope"),
        (["token", "create", "x", "--scope", "tasks:all"], 2, "tasks:read"),
        (["token", "create", "x", "--scope", "tasks:read", "--expires", "soon"], 2, "30d"),
        (["token", "create", "x", "--scope", "tasks:read", "--expires", "999999d"], 1, "365 days"),
        (["token", "create", "x", "--scope", "tasks:read", "--expires", "2000-01-01"], 1, "future"),
        (["token", "create", "", "--scope", "tasks:read"], 1, "The field name is required"),
        (["login", "--token", "--email", "a@example.com"], 2, "--email"),
        (["login", "--token"], 3, "Copy the token again"),
    ],
)
def test_token_mistakes_are_explained(program: Program, arguments: list[str], exit_code: int, advice: str):
    ended = program(*arguments)
    assert (ended.returncode, ended.stdout) == (exit_code, ""), ended.stderr
    assert advice in " ".join(ended.stderr.split())


def test_client_knows_all_scopes():
    assert {scope.value for scope in Scope} == {scope.value for scope in TokenScope}
