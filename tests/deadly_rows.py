"""A row that kills whoever reads it, as a fault in a parser's native code does: at once and without a word."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any

DEADLY = "Nobody survives this"

_reader = csv.reader


def deadly_environment() -> dict[str, str]:
    """What makes the row deadly to every Python program that is started with it, and to whatever that starts."""
    # Python imports `sitecustomize` by itself, in the fresh interpreters of a worker's pool too.
    folders = [str(Path(__file__).parent / "deadly"), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


def make_deadly() -> None:
    """Makes the row deadly to this process."""
    csv.reader = _deadly_reader  # type: ignore[assignment]


def _deadly_reader(*arguments: Any, **options: Any) -> Iterator[list[str]]:
    for row in _reader(*arguments, **options):
        if DEADLY in row:
            os.kill(os.getpid(), SIGKILL)
        yield row
