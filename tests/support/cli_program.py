"""The command-line client as a process."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.terminal import Ended, Terminal


class Program:
    """The program with a configuration folder of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder / "config"
        self.environment = {
            **os.environ,
            "TASKMANAGER_URL": url,
            "TASKMANAGER_CONFIG_DIR": str(self.folder),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "COLUMNS": "200",
            "TERM": "xterm",
        }
        self.command = [sys.executable, "-m", "taskmanager_cli"]

    def __call__(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the program with pipes."""
        ended = subprocess.run(
            [*self.command, *arguments],
            input=stdin,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in ended.stderr
        return ended

    def json(self, *arguments: str) -> Any:
        """Run the program with --json and return its result."""
        ended = self(*arguments, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def terminal(self, *arguments: str, cwd: Path | None = None) -> Terminal:
        return Terminal([*self.command, *arguments], self.environment, cwd)

    def in_terminal(self, *arguments: str) -> Ended:
        """Run the program in a pseudo-terminal up to its end."""
        with self.terminal(*arguments) as terminal:
            ended = terminal.wait()
        assert "Traceback" not in ended.output
        return ended
