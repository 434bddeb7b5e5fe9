"""The whole system as `python -m deploy.local run` starts it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.people import Api


@dataclass(frozen=True)
class LocalStack:
    """A running stack, known by its endpoints file."""

    data_dir: Path
    api: Api
    settings: Mapping[str, str]
    """What its services were told beyond what deploy.local tells them."""

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
        """SIGKILLs a process with all that it started; its pid."""
        pid = self.endpoints["processes"][name]
        os.killpg(pid, signal.SIGKILL)
        return pid


def servers_of(config: pytest.Config) -> list[str]:
    """The options of `deploy.local run` that make it use the servers that the tests were given."""
    options = ("--postgres-url", "--redis-url")
    return [f"{option}={value}" for option in options if (value := config.getoption(option))]


def until(true: Callable[[], bool], *, seconds: float = 60) -> None:
    """Waits for something to become true that sets no event of ours. Fails after so many seconds."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not true():
        assert time.monotonic() < end, f"not within {seconds} seconds"
        pause.wait(0.02)


@contextmanager
def running_stack(data_dir: Path, *arguments: str, **environment: str) -> Iterator[LocalStack]:
    """Runs `python -m deploy.local run` from its ready line to its orderly end."""
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
            with Api(gateway_url) as api:
                yield LocalStack(data_dir, api, environment)
        finally:
            process.send_signal(signal.SIGTERM)
            output.read()
            assert process.wait() == 0
