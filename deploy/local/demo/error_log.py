"""Search for logged errors after a request of the demo failed."""

import json
from pathlib import Path

from deploy.local.supervision.log_files import read_last_lines

_ERROR_LEVELS = ("error", "critical")


def find_error_lines(log_dir: Path) -> tuple[str, tuple[str, ...]]:
    """Return the name of the first process that logged an error recently, and its error lines.

    If no process logged an error, return the last lines of the gateway: they show which requests it received.
    """
    for log in sorted(log_dir.glob("*.log")):
        errors = tuple(line for line in read_last_lines(log) if _is_error(line))
        if errors:
            return log.stem, errors
    return "gateway", read_last_lines(log_dir / "gateway.log")


def _is_error(line: str) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return line.startswith("Traceback ")
    return isinstance(entry, dict) and entry.get("level") in _ERROR_LEVELS
