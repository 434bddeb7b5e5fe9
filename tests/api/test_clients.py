"""Clients that are generated from the OpenAPI document work with their own types against a real gateway."""

import shutil
from pathlib import Path

import pytest

from tests.api.conftest import DOCUMENT, FOLDER, Programs
from tests.support.stack import LocalStack

pytestmark = pytest.mark.api


@pytest.fixture(scope="module")
def python_session(python_tools: Programs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the session script and the generated Python package."""
    folder = tmp_path_factory.mktemp("python")
    generate = ("generate", "--path", DOCUMENT, "--output-path", "taskmanager_client", "--meta", "none")
    output = python_tools.run("openapi-python-client", *generate, folder=folder)
    # Raw CSV bodies are the only part that the generator does not support; the form is the other way to upload.
    warnings = [line for line in output.splitlines() if line.startswith(("Unsupported", "ERROR"))]
    assert set(warnings) == {"Unsupported content type text/csv"}
    shutil.copy(FOLDER / "session.py", folder)
    return folder


def test_python_session_has_sound_types(python_tools: Programs, python_session: Path):
    """The session script and the generated package pass mypy --strict."""
    python_tools.run("mypy", "--strict", "session.py", "taskmanager_client", folder=python_session)


def test_python_session_runs(python_tools: Programs, python_session: Path, stack: LocalStack):
    """The session registers, logs in, creates, changes and lists tasks, uploads a file and reads an error."""
    output = python_tools.run("python", "session.py", stack.url, folder=python_session)
    assert output == "session of the Python client: ok\n"


@pytest.fixture(scope="module")
def typescript_session(node_tools: Programs) -> Path:
    """The session as JavaScript. The compiler has checked its types against those of the document."""
    node_tools.run("openapi-typescript", DOCUMENT, "--output", "schema.d.ts", folder=FOLDER)
    node_tools.run("tsc", "--project", ".", folder=FOLDER)
    return FOLDER / "build/session.js"


def test_typescript_session_runs(node_tools: Programs, typescript_session: Path, stack: LocalStack):
    """The session of the TypeScript client compiles in strict mode, and does the same as that of the Python client."""
    output = node_tools.run(shutil.which("node") or "node", typescript_session, stack.url, folder=FOLDER)
    assert output == "session of the TypeScript client: ok\n"
