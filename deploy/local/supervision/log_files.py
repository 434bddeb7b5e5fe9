"""Log files of the supervised processes."""

from collections import deque
from pathlib import Path

_MAX_LINES = 20


def read_last_lines(log: Path, *, start: int = 0) -> tuple[str, ...]:
    """Return the last lines of a log file, at most 20. Ignore everything before the byte offset `start`."""
    with log.open("rb") as file:
        file.seek(start)
        lines = deque(file, maxlen=_MAX_LINES)
    return tuple(line.decode("utf-8", "replace").rstrip() for line in lines)
