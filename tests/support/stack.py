"""The whole system as processes, as `python -m deploy.local run` starts it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.users import RestApi


@dataclass(frozen=True)
class LocalStack:
    """A running stack, described by its endpoints file."""

    data_dir: Path
    api: RestApi
    settings: Mapping[str, str]
    """Environment variables that the test added to those of deploy.local."""

    @property
    def endpoints(self) -> dict[str, Any]:
        return json.loads((self.data_dir / "endpoints.json").read_text())

    @property
    def url(self) -> str:
        return self.api.url

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.endpoints["postgres_url"]) as connection:
            return connection.execute(statement, values).fetchall()

    def kill(self, name: str) -> int:
        """Send SIGKILL to the process group of a program; return its pid."""
        pid = self.endpoints["processes"][name]
        os.killpg(pid, signal.SIGKILL)
        return pid


def server_options(config: pytest.Config) -> list[str]:
    """Return the options that make `deploy.local run` use the servers given to pytest."""
    options = ("--postgres-url", "--redis-url")
    return [f"{option}={value}" for option in options if (value := config.getoption(option))]


@contextmanager
def running_stack(data_dir: Path, *arguments: str, **environment: str) -> Iterator[LocalStack]:
    """Run `python -m deploy.local run` from its ready line to exit status 0 after SIGTERM."""
    command = [sys.executable, "-m", "deploy.local", "run", "--data-dir", str(data_dir)]
    ports = ["--gateway-port", "0", "--auth-port", "0", "--tasks-port", "0"]
    process = subprocess.Popen(
        [*command, *ports, *arguments], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    assert process.stdout is not None
    with process.stdout as output:
        try:
            assert any(line.startswith("ready") for line in output), "the stack ended before it was ready"
            gateway_url = json.loads((data_dir / "endpoints.json").read_text())["gateway_url"]
            with RestApi(gateway_url) as api:
                yield LocalStack(data_dir, api, environment)
        finally:
            process.send_signal(signal.SIGTERM)
            output.read()
            assert process.wait() == 0
