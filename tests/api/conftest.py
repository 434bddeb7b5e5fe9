"""The whole system, and the programs of .venv-api and of tests/api/node_modules, which `make test-api` installs."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.stack import LocalStack, running_stack, server_options

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
DOCUMENT = ROOT / "docs/openapi.json"


@dataclass(frozen=True)
class Programs:
    """Programs of one folder."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, program: str, *arguments: str | Path, folder: Path) -> str:
        """Run a program in a folder and return its output; fail if its exit status is not 0."""
        found = subprocess.run(
            [self.folder / program, *arguments],
            cwd=folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stdout
        return found.stdout


@pytest.fixture(scope="session")
def python_tools() -> Programs:
    """Programs of .venv-api. They must not import the packages of this repository."""
    folder = ROOT / ".venv-api/bin"
    if not (folder.parent / ".installed").exists():
        pytest.skip(".venv-api is missing: run `make test-api`")
    return Programs(folder, {name: value for name, value in os.environ.items() if name != "PYTHONPATH"})


@pytest.fixture(scope="session")
def node_tools() -> Programs:
    """Programs of the npm packages. Redocly may send no telemetry and look for no updates."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    folder = FOLDER / "node_modules/.bin"
    if not (folder.parent / ".installed").exists():
        pytest.skip("the npm packages are missing: run `make test-api`")
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}
    return Programs(folder, {**os.environ, **quiet})


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[LocalStack]:
    """The whole system, without a rate limit that would end the tests of schemathesis early."""
    settings = {"GATEWAY_PUBLIC_CALLS_PER_MINUTE": "1000000"}
    with running_stack(tmp_path_factory.mktemp("stack"), *server_options(request.config), **settings) as running:
        yield running
