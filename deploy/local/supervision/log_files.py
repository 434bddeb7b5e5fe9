"""Reading the processes' log files for the person at the terminal."""

import json
from collections import deque
from pathlib import Path

_LAST_LINES = 20
_ERROR_LEVELS = ("error", "critical")


def last_lines(log: Path, *, start: int = 0) -> tuple[str, ...]:
    """Returns the last lines of a file, none of them from before the byte `start`."""
    with log.open("rb") as file:
        file.seek(start)
        lines = deque(file, maxlen=_LAST_LINES)
    return tuple(line.decode("utf-8", "replace").rstrip() for line in lines)


def error_lines(folder: Path) -> tuple[str, tuple[str, ...]]:
    """Returns the process to blame when a request failed, and its lines: the first that logged an error lately.

    Where none did, the gateway's last lines say at least what was asked of it.
    """
    for log in sorted(folder.glob("*.log")):
        errors = tuple(line for line in last_lines(log) if _is_error(line))
        if errors:
            return log.stem, errors
    return "gateway", last_lines(folder / "gateway.log")


def _is_error(line: str) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return line.startswith("Traceback ")
    return isinstance(entry, dict) and entry.get("level") in _ERROR_LEVELS
