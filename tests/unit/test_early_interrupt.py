"""Ctrl-C in the first second of a program, while it imports its modules."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

INTERRUPTED_IMPORT = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"


@pytest.mark.parametrize(
    ("arguments", "imported", "message"),
    [
        (("deploy.backup", "create", "folder"), "psycopg", "Interrupted. Nothing was done.\n"),
        (("deploy.local", "backup", "folder"), "psycopg", "Interrupted. Nothing was done.\n"),
        (("deploy.local", "run"), "psycopg", "Interrupted. Nothing was done.\n"),
        (("taskmanager_cli", "tasks", "list"), "typer", "Interrupted.\n"),
    ],
)
def test_early_interrupt_is_one_line(tmp_path: Path, arguments: tuple[str, ...], imported: str, message: str):
    """Ctrl-C comes while the program imports a package."""
    (tmp_path / f"{imported}.py").write_text(INTERRUPTED_IMPORT)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    ended = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", message)
