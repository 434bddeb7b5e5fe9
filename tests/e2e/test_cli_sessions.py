"""Sessions of the command-line client: its login, and the file or keyring that holds them."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.support.cli_program import Program
from tests.support.stack import LocalStack
from tests.support.users import PASSWORD


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
