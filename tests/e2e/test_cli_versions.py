"""The command-line client with servers of other versions."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.transcoding.violations import Violation
from gateway.transport.errors.http_errors import HttpError
from tests.support.cli_program import Program

OLD_INSPECTION: dict[str, Any] = {
    "source": "",
    "encoding": "utf-8",
    "delimiter": ",",
    "header_row": 1,
    "columns": [{"name": "title", "number": 1, "target": "title", "samples": ["Fly"], "values": ["Fly"]}],
    "unmapped_values": [],
    "rows": [],
    "problems": [],
    "options": {"mapping": "", "value_mapping": ""},
}
COUNTS = ("rows_created", "rows_updated", "rows_unchanged", "rows_skipped", "rows_failed", "rows_read")
IMPORT: dict[str, Any] = {
    **dict.fromkeys(COUNTS, 0),
    **dict.fromkeys(("bytes_total", "bytes_read", "rows_per_second", "seconds_left"), 0),
    **dict.fromkeys(("failure", "undo", "waits_for")),
    "id": "import-1",
    "file_name": "tasks.csv",
    "state": "succeeded",
    "validate_only": False,
    "warnings": ["The column Colour is not used."],
}


@contextmanager
def program_at(folder: Path, upload_error: HttpError | None = None) -> Iterator[Program]:
    """Run a server that responds to an upload with the error or an import; yield the program and a file for it."""

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond(200, {"result": IMPORT})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            if self.path.partition("?")[0].endswith(":inspect"):
                self._respond(200, OLD_INSPECTION)
            elif upload_error:
                self._respond(upload_error.http_status, upload_error.body("id-1"))
            else:
                self._respond(202, IMPORT)

        def _respond(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode() + b"\n"
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        program = Program(f"http://127.0.0.1:{server.server_port}", folder)
        program.environment["TASKMANAGER_TOKEN"] = f"tm_{'a' * 49}"
        (folder / "tasks.csv").write_text("title,Colour\nFly,red\n")
        yield program
        server.shutdown()
        thread.join()


def test_older_server_names_no_warnings_of_columns(tmp_path: Path):
    """The warnings of the import are then shown below its result."""
    with program_at(tmp_path) as program:
        ended = program("import", str(tmp_path / "tasks.csv"), "--yes")
    assert (ended.returncode, IMPORT["warnings"][0] in ended.stdout) == (0, True), ended.stderr


@pytest.mark.parametrize(
    ("metadata", "advice"),
    [
        ({"import_id": "import-1", "import_state": "queued", "new": "x"}, "`taskmanager imports watch import-1`"),
        ({"import_id": "import-1", "import_state": "new"}, "The message of the server."),
        ({"import_state": "queued"}, "The message of the server."),
        ({"import_id": "import-1"}, "The message of the server."),
        ({}, "The message of the server."),
    ],
)
def test_facts_of_other_versions_about_a_duplicate_file(tmp_path: Path, metadata: dict[str, str], advice: str):
    """The client ignores facts that it does not know. Without one that it needs, it shows the message of the server."""
    message = "The message of the server."
    error = HttpError(409, "ALREADY_EXISTS", message, [Violation("DUPLICATE_FILE", "file", message, metadata)])
    with program_at(tmp_path, error) as program:
        ended = program("import", str(tmp_path / "tasks.csv"), "--yes")
    assert (ended.returncode, advice in ended.stderr) == (1, True), ended.stderr
