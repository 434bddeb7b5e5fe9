"""A CSV row that kills its reader with SIGKILL, as a fault in a parser's native code does."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any

CRASHING_CELL = "This row kills its reader"

_reader = csv.reader


def crashing_environment() -> dict[str, str]:
    """Return the environment that makes the row crash every Python program started with it, and its children."""
    # Python imports `sitecustomize` at each start, also in the fresh interpreters of a worker's pool.
    folders = [str(Path(__file__).parent / "crashing_rows_site"), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


def install() -> None:
    """Make the row crash this process."""
    csv.reader = _CrashingReader  # type: ignore[assignment]


class _CrashingReader:
    """Stand-in for csv.reader with its interface."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._reader = _reader(*arguments, **options)

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        row = next(self._reader)
        if CRASHING_CELL in row:
            os.kill(os.getpid(), SIGKILL)
        return row

    @property
    def line_num(self) -> int:
        return self._reader.line_num
