"""The command-line client with wrong servers, wrong files and closed streams."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gateway.transcoding.violations import Violation
from gateway.transport.errors.http_errors import (
    HttpError,
    internal_error,
    overloaded,
    personal_tokens_unavailable,
    stopping,
    too_many_connections,
    upstream_timeout,
)
from tests.support.cli_program import Program
from tests.support.stack import LocalStack

HOSTILE = "\x1b]0;title\x07\x9b31m\u202ev"
"""Text that names the window, colours what follows and turns its direction."""
TOKEN = f"tm_{'a' * 49}"
RESPONSES = {
    "/html": (200, b"<html>"),
    "/list": (200, b"[1]"),
    "/other": (200, b'{"a": 1}'),
    "/empty": (200, b""),
    "/redirect": (302, b""),
    "/proxy": (502, b"Bad gateway"),
    "/other-error": (500, b'{"error": {"code": "x", "details": "y"}}'),
}
ERRORS = {
    "/overloaded": overloaded(),
    "/full": too_many_connections(),
    "/read-only": HttpError(503, "UNAVAILABLE", "No writes.", [Violation("READ_ONLY", None, "No writes.")]),
    "/stopping": stopping(),
    "/unavailable": personal_tokens_unavailable(),
    "/slow": upstream_timeout(),
    "/defect": internal_error(),
}


class OtherServer(BaseHTTPRequestHandler):
    """An HTTP server that is no task manager, or has its errors."""

    def do_GET(self) -> None:
        folder = "/" + self.path.split("/")[1]
        error = ERRORS.get(folder)
        status, body = (error.http_status, error.to_json("id-1")) if error else RESPONSES[folder]
        self.send_response(status)
        for name, value in error.headers if error else ():
            self.send_header(name.decode(), value.decode())
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def other_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), OtherServer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("folder", RESPONSES)
def test_other_servers_are_explained(anonymous: Program, other_server: str, folder: str):
    """A server that is no task manager exits with 4 and names --url; one that fails asks to repeat."""
    anonymous.environment["TASKMANAGER_TOKEN"] = TOKEN
    ended = anonymous("--url", other_server + folder, "tasks", "list")
    advice = "Repeat the command" if RESPONSES[folder][0] >= 500 else "Check --url"
    assert (ended.returncode, ended.stdout, advice in ended.stderr) == (4, "", True), ended.stderr


@pytest.mark.parametrize(
    ("folder", "exit_code", "is_explained"),
    [
        ("/overloaded", 1, True),
        ("/full", 1, True),
        ("/read-only", 1, True),
        ("/stopping", 1, True),
        ("/unavailable", 4, False),
        ("/slow", 4, False),
        ("/defect", 1, False),
    ],
)
def test_logs_are_named_for_failures_only(
    anonymous: Program, other_server: str, folder: str, exit_code: int, *, is_explained: bool
):
    """A server that gives a reason refuses the call and is not unavailable. Its logs say no more."""
    anonymous.environment["TASKMANAGER_TOKEN"] = TOKEN
    ended = anonymous("--url", other_server + folder, "tasks", "list")
    assert (ended.returncode, ERRORS[folder].message.rstrip(".") in ended.stderr) == (exit_code, True), ended.stderr
    assert ("logs" in ended.stderr) == (not is_explained), ended.stderr
    repeat = "Repeat the command in 1 second." in ended.stderr
    assert repeat == ((b"retry-after", b"1") in ERRORS[folder].headers), ended.stderr


@pytest.mark.parametrize(
    ("url", "exit_code", "advice"),
    [
        ("https://{address}", 4, "has TLS"),
        ("http://{address}/api", 4, "Check --url"),
        ("http://a\nb", 2, "is not an address"),
        ("http://" + "a" * 70, 2, "is not an address"),
        ("http://127.0.0.1:1", 4, "Connection refused. Check that it runs"),
    ],
)
def test_wrong_addresses_are_explained(stack: LocalStack, anonymous: Program, url: str, exit_code: int, advice: str):
    anonymous.environment["TASKMANAGER_TOKEN"] = TOKEN
    ended = anonymous("--url", url.format(address=stack.url.removeprefix("http://")), "tasks", "list")
    assert ended.returncode == exit_code, ended.stderr
    assert advice in " ".join(ended.stderr.replace("│", " ").split())


@pytest.mark.parametrize("command", [["tasks", "list"], ["tasks", "export"]])
def test_grpc_port_is_explained(stack: LocalStack, anonymous: Program, command: list[str]):
    """A port that does not speak HTTP/1.1 is a wrong address. Repeating the command would not help."""
    anonymous.environment["TASKMANAGER_TOKEN"] = TOKEN
    ended = anonymous("--url", f"http://{stack.endpoints['tasks_target'].split(',')[0]}", *command)
    assert (ended.returncode, "Check --url" in ended.stderr) == (4, True), ended.stderr
    assert "Repeat" not in ended.stderr


@contextmanager
def server_that_sends(data: bytes) -> Iterator[str]:
    """Run a server that responds to one request with the bytes and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def respond() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(data)

        thread = threading.Thread(target=respond)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (b"+OK the mail server closed the session\r\n\r\n", "Check --url"),
        (b"", "Repeat the command"),
        (b"HTTP/1.1 200 OK\r\n", "Repeat the command"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", "Repeat the command"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno chunk\r\n", "Repeat the command"),
    ],
)
def test_lost_connection_is_no_wrong_address(anonymous: Program, data: bytes, advice: str):
    """Bytes that are no HTTP are a wrong address. A connection that closes early, or within a response, is lost."""
    anonymous.environment["TASKMANAGER_TOKEN"] = TOKEN
    with server_that_sends(data) as url:
        ended = anonymous("--url", url, "tasks", "list")
    assert (ended.returncode, advice in ended.stderr) == (4, True), ended.stderr


def test_server_without_tls_is_no_secure_connection(anonymous: Program):
    anonymous.environment["TASKMANAGER_TOKEN"] = TOKEN
    with server_that_sends(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        ended = anonymous("--url", url.replace("http:", "https:"), "tasks", "list")
    assert (ended.returncode, "There is no secure connection to https:" in ended.stderr) == (4, True), ended.stderr


def test_unknown_import_is_not_watched(program: Program):
    """The client does not claim that an import runs that the server does not know."""
    ended = program("imports", "watch", "01a225b0-d02d-7340-8e22-83cd6662c7d8")
    assert (ended.returncode, "runs at the server" in ended.stderr) == (1, False), ended.stderr


def test_errors_file_is_checked_first(program: Program, tmp_path: Path):
    """A file for rejected rows that can't be written stops the command before it uploads anything."""
    file = tmp_path / "tasks.csv"
    file.write_text("title,due\nFly,never\n")
    for errors in (tmp_path, tmp_path / "missing" / "errors.csv"):
        ended = program("import", str(file), "--yes", "--errors", str(errors))
        assert (ended.returncode, str(errors) in ended.stderr) == (2, True), ended.stderr
    assert program.json("imports", "list") == []


def test_imported_file_is_not_overwritten(program: Program, tmp_path: Path):
    """--errors refuses the file that is imported, by whatever path it is named, also with --force."""
    file = tmp_path / "tasks.csv"
    file.write_text("title,due\nFly,never\n")
    (tmp_path / "link.csv").symlink_to(file)
    (tmp_path / "hard.csv").hardlink_to(file)
    for errors in (file, tmp_path / "link.csv", tmp_path / "hard.csv", tmp_path / ".." / tmp_path.name / "tasks.csv"):
        for options in (["--yes"], ["--dry-run", "--force"]):
            ended = program("import", str(file), "--errors", str(errors), *options)
            assert (ended.returncode, "is imported" in ended.stderr) == (2, True), ended.stderr
    assert file.read_text() == "title,due\nFly,never\n"
    assert program.json("imports", "list") == []


def test_files_are_overwritten_only_by_force(program: Program, tmp_path: Path):
    """Every command that writes a file refuses one that exists, unless --force is given. It never replaces a device."""
    file = tmp_path / "tasks.csv"
    file.write_text("title,due\nFly,never\n")
    import_id = program.json("import", str(file), "--yes")["id"]
    output = tmp_path / "output.csv"
    commands = (
        ["imports", "errors", import_id, str(output)],
        ["tasks", "export", str(output)],
        ["import", str(file), "--dry-run", "--errors", str(output)],
    )
    for command in commands:
        output.write_text("mine")
        ended = program(*command)
        assert (ended.returncode, "--force" in ended.stderr, output.read_text()) == (2, True, "mine"), ended.stderr
        ended = program(*command, "--force")
        assert (ended.returncode, "title" in output.read_text()) == (0, True), ended.stderr
    device = tmp_path / "device"
    os.mkfifo(device)
    ended = program("tasks", "export", str(device), "--force")
    assert (ended.returncode, device.is_fifo()) == (2, True), ended.stderr


def test_suggested_name_is_free(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command that the client suggests for the rejected rows does not name a file that exists."""
    monkeypatch.chdir(tmp_path)
    for name in ("errors.csv", "errors-2.csv"):
        Path(name).write_text("title,due\nFly,never\n")
    ended = program("import", "errors.csv", "--yes")
    assert re.search(r"taskmanager imports errors \S+ errors-3\.csv", ended.stderr), ended.stderr


@pytest.mark.parametrize(
    "arguments", [["tasks", "add"], ["tasks", "list", "--label"], ["events", "--follow", "--cursor"]], ids=" ".join
)
def test_undecodable_arguments_are_wrong_usage(program: Program, arguments: list[str]):
    """Bytes that are no text in the encoding of the locale can't be sent. That is no defect of the client."""
    ended = program(*arguments, "\udcff")
    assert (ended.returncode, "no text in utf-8" in ended.stderr) == (2, True), ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", HOSTILE],
        ["import", "a.csv", HOSTILE],
        [f"--{HOSTILE}"],
        ["--url", HOSTILE, "whoami"],
        ["tasks", "list", "--assignee", HOSTILE],
        ["token", "revoke", HOSTILE],
        ["tasks", "export", f"missing{HOSTILE}/tasks.csv"],
    ],
    ids=" ".join,
)
def test_messages_do_not_control_the_terminal(program: Program, arguments: list[str]):
    """Arguments in errors, such as names of files of others, have escapes for control and direction characters."""
    ended = program(*arguments)
    assert ended.returncode != 0
    assert "]0;title" in ended.stderr
    assert not {"\x1b", "\x9b", "\u202e"} & set(ended.stderr), ended.stderr


def test_titles_do_not_control_the_terminal(program: Program):
    """Tables show code points. JSON keeps the text and escapes what a terminal could obey. Emoji stay whole."""
    title = "safe\x9b31m\u202etxt.exe \U0001f468\u200d\U0001f469 end"
    program.json("tasks", "add", title)
    assert "safe<U+009B>31m<U+202E>txt.exe \U0001f468\u200d\U0001f469 end" in program("tasks", "list").stdout
    ended = program("tasks", "list", "--json")
    assert ("\x9b" in ended.stdout, json.loads(ended.stdout)[0]["title"]) == (False, title)


@pytest.mark.skipif(sys.platform == "darwin", reason="file systems of macOS have no such names")
def test_file_with_an_undecodable_name_is_imported(program: Program, tmp_path: Path):
    """The server gets the name with U+FFFD for each byte that is no text."""
    file = tmp_path / "na\udcffme.csv"
    file.write_text("title\nFly\n")
    assert program.json("import", str(file), "--yes")["file_name"] == "na\ufffdme.csv"


@pytest.mark.parametrize("stream", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(program: Program, stream: str):
    """A stream that the caller has closed causes no traceback."""
    program.json("tasks", "add", "Buy milk")
    command = f"{' '.join(program.command)} tasks list --json {stream}"
    ended = subprocess.run(
        ["bash", "-c", command], env=program.environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    if ">&-" not in stream.split():
        assert json.loads(ended.stdout)[0]["title"] == "Buy milk"


def test_closed_pipe_ends_quietly(program: Program):
    program.json("tasks", "add", "Buy milk")
    command = f"{' '.join(program.command)} tasks list | head -n 1"
    ended = subprocess.run(
        ["bash", "-c", command], env=program.environment, capture_output=True, text=True, check=False
    )
    assert (len(ended.stdout.splitlines()), ended.stderr) == (1, "")


def test_full_disk_is_explained(program: Program):
    """A token that can't be printed is named by its id, so that its user can revoke it."""
    command = f"{' '.join(program.command)} token create x --scope tasks:read > /dev/full"
    ended = subprocess.run(
        ["bash", "-c", command], env=program.environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, "the space on the disk" in ended.stderr) == (2, True), ended.stderr
    (token,) = program.json("token", "list")
    assert token["id"] in ended.stderr
